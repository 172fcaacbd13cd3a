import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { apiOf, type Answer } from '../api/client.ts';

/** Monte Carlo's own way to sign, as its documentation has it. */
const signer = `
import hashlib, hmac, json, sys, urllib.parse
text = urllib.parse.urlencode(json.loads(sys.argv[2]))
print(hmac.new(sys.argv[1].encode(), text.encode('utf8'), hashlib.sha512).hexdigest())
`;

export async function signatureOf(secret: string, body: string): Promise<string> {
  const { stdout } = await promisify(execFile)('python3', ['-c', signer, secret, body]);
  return stdout.trim();
}

export interface Account {
  account_id: string;
  secret: string;
}

export function newAccount(): Account {
  return { account_id: randomUUID(), secret: `a secret ${randomUUID()}` };
}

export interface WebhookPlan {
  incidentId?: string;
  tables?: string[];
  /** More of the payload: `alert_feedback`, `declared_alert_severity`, … */
  payload?: Record<string, unknown>;
}

/** A body with what makes signing hard: floats that are whole, nulls, quotes, umlauts, a number beyond JavaScript. */
export function bodyOf(
  account: Account,
  { incidentId = randomUUID(), tables = [], payload = {} }: WebhookPlan,
): string {
  const events = tables.map((table) => ({
    data: { hits: [{ field: null, value: '50.0' }] },
    rule: { description: `it's "late": Übersicht`, comparisons: [{ full_table_id: table, threshold: '<49.0>' }] },
    table_name: null,
  }));
  const body = {
    account: { id: account.account_id },
    action: 'incident',
    payload: {
      event_list: events,
      group_id: null,
      incident_id: incidentId,
      url: `https://getmontecarlo.com/incidents/${incidentId}`,
      rows: '<12345678901234567890>',
      ...payload,
    },
    type: 'open_custom_rule_anomaly_incident',
    version: 'v0.1',
  };
  return JSON.stringify(body).replaceAll(/"<([\d.]+)>"/g, '$1');
}

const post = apiOf();

export async function deliver(account: Account, body: string, signature?: string): Promise<Answer> {
  const signed = signature ?? (await signatureOf(account.secret, body));
  return post('POST', '/webhook/monte-carlo', { raw: body, headers: { 'x-mcd-signature': signed } });
}
