import type { IncomingHttpHeaders } from 'node:http';
import { LilyError } from '#domain/errors.ts';
import { incidentReportSchema, type IncidentReport } from '#domain/incidents/incident.ts';
import { mapRow } from '#domain/ingestion/foreign-rows.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import { recordIdFrom } from '#platform/digest.ts';
import type { Incidents } from '#platform/mongo/incidents.ts';
import type { WebhookEndpointDoc, WebhookEndpoints } from '#platform/mongo/webhook-endpoints.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import type { IncidentReports } from '#platform/temporal/incidents.ts';
import { signatureFault, type SignatureFault, type SignedMessage } from '#platform/webhook-signature.ts';
import type { Intake, Submission } from '../assets/intake.ts';
import { prepared } from '../assets/prepared-record.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { inTime } from '../http/outage.ts';
import { deliveredItems, textOf, unusable, type DeliveredItem } from './delivered-items.ts';
import { holdingSecrets } from './endpoint-service.ts';
import type { Delivery } from './schemas.ts';

export interface DeliveryDeps {
  endpoints: Pick<WebhookEndpoints, 'byAddress'>;
  secretBox: Pick<SecretBox, 'open'>;
  intake: Intake;
  reports: IncidentReports;
  incidents: Pick<Incidents, 'claimedBy'>;
}

type Result = Delivery['results'][number];

/** Says in words what is wrong with a signature; nothing of what it should have been. */
const faultWords: Record<SignatureFault, string> = {
  missing: 'The headers webhook-id, webhook-timestamp and webhook-signature are needed (Standard Webhooks)',
  malformed: 'webhook-id must be 1 to 256 printable characters, webhook-timestamp seconds since 1970',
  'too-old': 'webhook-timestamp is more than five minutes ago',
  'too-new': 'webhook-timestamp is more than five minutes ahead',
  'no-match': 'No signature in webhook-signature is right for any secret that holds',
};

/**
 * Takes one webhook: verifies it, makes records or incidents of it, and answers when they are durable. What cannot be made
 * one becomes a dead letter, and the answer says so: a sender cannot mend what it sends, so it is not asked to send it again.
 * The ids of what is made follow from the endpoint, the `webhook-id` and the body, so a repetition changes nothing.
 *
 * @throws LilyError `not-found`, `bad-signature`, `unavailable`; `malformed-json` for bytes that cannot even be kept
 */
export async function receiveWebhook(
  deps: DeliveryDeps,
  endpointId: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<Delivery> {
  const endpoint = await inTime('MongoDB', deps.endpoints.byAddress(endpointId));
  if (endpoint === undefined) throw new LilyError('not-found', 'There is no webhook endpoint at this address.');
  const message = messageOf(headers, body);
  const fault = signatureFault(holdingSecrets(endpoint, deps.secretBox), message, new Date());
  if (fault !== undefined) throw new LilyError('bad-signature', faultWords[fault]);
  const webhookId = message.id ?? '';
  const text = textOf(body);
  const recordId = ({ index }: DeliveredItem) => recordIdFrom('webhook', endpoint._id, webhookId, text, index);
  const mapping = endpoint.mapping === undefined ? undefined : (JSON.parse(endpoint.mapping) as Mapping);
  const items = deliveredItems(mapping, body, text);
  const take = endpoint.kind === 'incident' ? takeIncidents : takeRecords;
  return { status: 'success', webhook_id: webhookId, results: await take(deps, endpoint, items, recordId, mapping) };
}

function messageOf(headers: IncomingHttpHeaders, body: Buffer): SignedMessage {
  const one = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { id: one('webhook-id'), timestamp: one('webhook-timestamp'), signature: one('webhook-signature'), body };
}

type RecordIdOf = (item: DeliveredItem) => string;

async function takeRecords(
  { intake }: DeliveryDeps,
  endpoint: WebhookEndpointDoc,
  items: DeliveredItem[],
  recordId: RecordIdOf,
  mapping: Mapping | undefined,
): Promise<Result[]> {
  const submissions = items.map((item) => {
    const id = recordId(item);
    if ('fault' in item) return unusable(id, item);
    const mapped = mapRow(mapping, item.row);
    if (!mapped.ok) return unusable(id, item, mapped.detail);
    try {
      return { recordId: id, ...prepared(endpoint.tenant_id, mapped.record) };
    } catch (error) {
      if (error instanceof LilyError) return unusable(id, item, error.message);
      throw error;
    }
  });
  await submit(intake, endpoint, submissions);
  return submissions.map(resultOf);
}

/** One after the other: the reports of one incident have an order. */
async function takeIncidents(
  { intake, reports, incidents }: DeliveryDeps,
  endpoint: WebhookEndpointDoc,
  items: DeliveredItem[],
  recordId: RecordIdOf,
): Promise<Result[]> {
  const { tenant_id: tenantId, source } = endpoint;
  const results: Result[] = [];
  for (const item of items) {
    const id = recordId(item);
    const report = 'fault' in item ? item.fault.detail : reportOf(item.row, source, id);
    if (typeof report === 'string') {
      const submission = unusable(id, item, report);
      await submit(intake, endpoint, [submission]);
      results.push(resultOf(submission));
      continue;
    }
    const known = await inTime('MongoDB', incidents.claimedBy(tenantId, source, report.key, id));
    const incidentId = known ?? (await inTime('Temporal', reports.report(tenantId, report))).incidentId;
    results.push(incidentId === undefined ? { status: 'ignored' } : { status: 'incident', incident_id: incidentId });
  }
  return results;
}

/** The report that a row is, or in words why it is none. */
function reportOf(row: unknown, source: string, reportId: string): IncidentReport | string {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return 'an incident report must be an object';
  if ('source' in row || 'report_id' in row) return 'source and report_id follow from the webhook; leave them out';
  const parsed = incidentReportSchema.safeParse({ ...row, source, report_id: reportId });
  return parsed.success ? parsed.data : invalidInput(parsed.error, 'incident report').message;
}

async function submit(intake: Intake, endpoint: WebhookEndpointDoc, submissions: Submission[]): Promise<void> {
  const principal = { tenantId: endpoint.tenant_id, userId: `webhook:${endpoint.source}` };
  await intake.submit(principal, submissions, { door: 'webhook' });
}

function resultOf({ recordId, metadataId, fault }: Submission): Result {
  if (fault === undefined) return { status: 'accepted', record_id: recordId, metadata_id: metadataId };
  return { status: 'dead-letter', record_id: recordId, reason: fault.reason, detail: fault.detail };
}
