import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { IncidentMessage } from '#domain/notifications/message.ts';
import { apiOf, freshTenant, ingest, Listener, stack, tokenOf, type Answer, type Api } from '../api/client.ts';
import { bodyOf, deliver, newAccount, signatureOf, type Account, type WebhookPlan } from './monte-carlo.ts';

const tenant = freshTenant();
const account = newAccount();
let token: string;
let api: Api;
let admin: Api;
let listener: Listener;

beforeAll(async () => {
  token = await tokenOf(tenant, ['editor']);
  api = apiOf(token);
  admin = apiOf(await tokenOf(tenant, ['admin']));
  await admin('PUT', '/v1/integrations/monte-carlo', { json: account });
  listener = new Listener({ types: 'incident' }, { token });
  await listener.until(([first]) => first?.type === 'hello');
});
afterAll(() => listener.close());

/** A webhook as Monte Carlo sends it; gives the id of the incident. */
async function report(plan: WebhookPlan, by: Account = account): Promise<string> {
  const { status, body } = await deliver(by, bodyOf(by, plan));
  expect(status).toBe(200);
  return body['incident_id'] as string;
}

/** The incident, as soon as it is as it should be. */
async function until(id: string, condition: (incident: Answer['body']) => boolean, as = api): Promise<Answer['body']> {
  return vi.waitFor(
    async () => {
      const { status, body } = await as('GET', `/v1/incidents/${id}`);
      if (status !== 200 || !condition(body)) throw new Error(`not yet: ${status} ${JSON.stringify(body)}`);
      return body;
    },
    { timeout: 30_000, interval: 50 },
  );
}

const changesOf = (incident: Answer['body']): string[] =>
  (incident['timeline'] as { change: string }[]).map(({ change }) => change).toReversed();

const heard = (id: string): IncidentMessage[] =>
  listener.messages
    .filter((message): message is IncidentMessage => message.type === 'incident')
    .filter(({ incident_id }) => incident_id === id);

describe('an incident from Monte Carlo', () => {
  it('is opened, says whom it concerns, and is told on the WebSocket', async () => {
    const orders = await ingest(api, 'orders', { qualified_name: 'shop.sales.orders' });
    await ingest(api, 'orders', { qualified_name: 'shop.archive.orders' });
    const upstream = [{ entity_type: 'table', qualified_name: 'shop.sales.orders' }];
    const revenue = await ingest(api, 'revenue', { entity_type: 'view', upstream });
    const board = await ingest(api, 'board', {
      entity_type: 'dashboard',
      upstream: [{ entity_type: 'view', qualified_name: 'revenue' }],
    });
    const id = await report({ tables: ['snowflake:SHOP.Sales.ORDERS', 'shop:sales.unheard_of'] });
    const incident = await until(id, () => true);
    expect(incident).toMatchObject({
      source: 'monte-carlo',
      title: `it's "late": Übersicht`,
      kind: 'custom_rule_anomaly',
      severity: 'medium',
      state: 'open',
      assessed: true,
      entities: [{ metadata_id: orders, qualified_name: 'shop.sales.orders' }],
      unmatched: ['shop:sales.unheard_of'],
      affected: [
        { metadata_id: revenue, distance: 1 },
        { metadata_id: board, distance: 2 },
      ],
      affected_count: 2,
      escalates_at: expect.any(String) as string,
    });
    expect(changesOf(incident)).toEqual(['opened', 'assessed']);
    await listener.until(() => heard(id).length > 0);
    expect(heard(id)[0]).toMatchObject({ changes: ['opened', 'assessed'], metadata_ids: [orders], affected_count: 2 });
    for (const entity of [orders, board]) {
      const { body } = await api('GET', `/v1/incidents?metadata_id=${entity}&state=open`);
      expect(body.items?.map((item) => item['incident_id'])).toEqual([id]);
    }
  });

  it('is joined by later webhooks, changed by each once, and ends by one', async () => {
    const incidentId = randomUUID();
    const first = bodyOf(account, { incidentId });
    const signature = await signatureOf(account.secret, first);
    const opened = await Promise.all(Array.from({ length: 8 }, () => deliver(account, first, signature)));
    const ids = new Set(opened.map(({ body }) => body['incident_id']));
    expect(ids.size).toBe(1);
    const id = String([...ids][0]);
    // Other spaces, the same signature: nothing new.
    const spaced = first.replaceAll('":', '" : ');
    expect((await deliver(account, spaced, signature)).body['incident_id']).toBe(id);
    await report({ incidentId, payload: { declared_alert_severity: 'SEV-1', owner: 'ada@example.org' } });
    await report({ incidentId, payload: { alert_feedback: 'investigating' } });
    await until(id, ({ state }) => state === 'acknowledged');
    expect(await report({ incidentId, payload: { alert_feedback: 'fixed' } })).toBe(id);
    const incident = await until(id, ({ state }) => state === 'resolved');
    expect(incident).toMatchObject({
      severity: 'critical',
      assignee: 'ada@example.org',
      acknowledged_by: 'monte-carlo',
      resolved_by: 'monte-carlo',
      reports: 4,
    });
    expect((await deliver(account, first, signature)).body['incident_id']).toBe(id);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(await until(id, () => true)).toMatchObject({ state: 'resolved', reports: 4, reopened: 0 });
  });

  it('is not opened by its end, nor by a webhook about something else', async () => {
    const ended = bodyOf(account, { payload: { alert_feedback: 'false_positive' } });
    expect(await deliver(account, ended)).toMatchObject({ status: 200, body: { status: 'ignored' } });
    const other = bodyOf(account, { payload: { incident_id: null } });
    expect(await deliver(account, other)).toMatchObject({ status: 200, body: { status: 'ignored' } });
  });

  it('survives a worker that is killed before it has taken it up', { timeout: 120_000 }, async () => {
    await stack.kill('worker', 'SIGKILL');
    let id: string;
    try {
      id = await report({ payload: { declared_alert_severity: 'SEV-2' } });
      expect((await api('GET', `/v1/incidents/${id}`)).status).toBe(404);
    } finally {
      await stack.start('worker');
    }
    expect(await until(id, () => true)).toMatchObject({ severity: 'high', state: 'open', reports: 1 });
    await listener.until(() => heard(id).length > 0);
    expect((await api('POST', `/v1/incidents/${id}/acknowledge`, { json: {} })).status).toBe(200);
  });
});

describe('a webhook that is not signed as it should be', () => {
  it('is refused with 403, in the same words whatever is wrong', async () => {
    const body = bodyOf(account, {});
    const good = await signatureOf(account.secret, body);
    const stranger = newAccount();
    const tampered = body.replace('"incident"', '"incidenT"');
    const answers = await Promise.all([
      deliver(account, body, ''),
      deliver(
        account,
        body,
        good.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
      deliver(account, body, good.toUpperCase()),
      deliver(account, tampered, good),
      deliver(account, 'no JSON', good),
      deliver(account, '[]', good),
      deliver(stranger, bodyOf(stranger, {})),
      deliver({ ...account, secret: stranger.secret }, body),
    ]);
    const problems = answers.map(({ status, headers, body: { trace_id: _trace, ...problem } }) => ({
      status,
      type: headers.get('content-type'),
      problem,
    }));
    expect(problems[0]).toMatchObject({
      status: 403,
      type: 'application/problem+json; charset=utf-8',
      problem: { code: 'bad-signature', status: 403 },
    });
    for (const problem of problems) expect(problem).toEqual(problems[0]);
    expect((await deliver(account, body, good)).status).toBe(200);
  });

  it('is refused when it is too large', async () => {
    expect((await deliver(account, ' '.repeat(2 * 1024 * 1024), 'f'.repeat(128))).status).toBe(413);
  });
});

describe('registering an account', () => {
  it('takes several secrets while they rotate, and never shows one', async () => {
    const mine = newAccount();
    const next = { ...mine, secret: newAccount().secret };
    const put = (json: Account): Promise<Answer> => admin('PUT', '/v1/integrations/monte-carlo', { json });
    await put(mine);
    await put(mine);
    const { body } = await put(next);
    const secrets = body['secrets'] as { secret_id: string }[];
    expect(secrets).toHaveLength(2);
    const shown = await admin('GET', '/v1/integrations/monte-carlo');
    expect(JSON.stringify([body, shown.body])).not.toContain(mine.secret);
    for (const by of [mine, next]) expect((await deliver(by, bodyOf(by, {}))).status).toBe(200);
    const path = `/v1/integrations/monte-carlo/${mine.account_id}`;
    expect((await admin('DELETE', `${path}/secrets/${secrets[0]?.secret_id}`)).status).toBe(200);
    expect((await deliver(mine, bodyOf(mine, {}))).status).toBe(403);
    expect((await deliver(next, bodyOf(next, {}))).status).toBe(200);
    expect((await admin('DELETE', path)).status).toBe(204);
    expect((await admin('DELETE', path)).status).toBe(404);
    expect((await deliver(next, bodyOf(next, {}))).status).toBe(403);
  });

  it('is for admins, and one tenant’s account is no other’s', async () => {
    expect((await api('PUT', '/v1/integrations/monte-carlo', { json: newAccount() })).status).toBe(403);
    expect((await api('GET', '/v1/integrations/monte-carlo')).status).toBe(403);
    const other = apiOf(await tokenOf(freshTenant(), ['admin']));
    const refused = await other('PUT', '/v1/integrations/monte-carlo', {
      json: { ...account, secret: 'x'.repeat(20) },
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(JSON.stringify(refused.body)).not.toContain(tenant);
    expect((await other('DELETE', `/v1/integrations/monte-carlo/${account.account_id}`)).status).toBe(404);
    expect((await other('GET', '/v1/integrations/monte-carlo')).body.items).toEqual([]);
    const short = await admin('PUT', '/v1/integrations/monte-carlo', { json: { account_id: 'a', secret: 'short' } });
    expect(short).toMatchObject({ status: 400, body: { field: '/secret' } });
  });
});

describe('people and an incident', () => {
  const act = (id: string, action: string, json: object = {}, as = api, headers = {}): Promise<Answer> =>
    as('POST', `/v1/incidents/${id}/${action}`, { json, headers });

  it('open it by hand, take it, give it away, talk about it, and end it', async () => {
    const { status, headers, body } = await api('POST', '/v1/incidents', {
      json: { title: 'numbers look odd', severity: 'critical', entities: ['shop.sales.orders'] },
    });
    expect(status).toBe(201);
    const id = String(body['incident_id']);
    expect(headers.get('location')).toBe(`/v1/incidents/${id}`);
    expect(body).toMatchObject({ source: 'manual', entities: [{ qualified_name: 'shop.sales.orders' }] });
    expect(await act(id, 'assign', { assignee: 'bob' })).toMatchObject({ status: 200, body: { assignee: 'bob' } });
    const taken = await act(id, 'acknowledge', { comment: 'on it' });
    expect(taken).toMatchObject({ status: 200, body: { state: 'acknowledged', escalates_at: null } });
    expect(await act(id, 'acknowledge')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    const once = { 'Idempotency-Key': randomUUID() };
    for (let time = 0; time < 3; time += 1) {
      expect((await act(id, 'comment', { comment: 'a late file' }, api, once)).body['comments']).toBe(1);
    }
    expect(await act(id, 'resolve', { comment: 'reloaded' })).toMatchObject({
      status: 200,
      body: { state: 'resolved' },
    });
    expect((await act(id, 'resolve')).status).toBe(409);
    const incident = await until(id, ({ state }) => state === 'resolved');
    expect(changesOf(incident)).toEqual(['opened', 'assessed', 'assigned', 'acknowledged', 'commented', 'resolved']);
    await listener.until(() => heard(id).some(({ changes }) => changes.includes('resolved')));
    expect(heard(id).flatMap(({ changes }) => changes)).toEqual(changesOf(incident));

    const page = await api('GET', `/v1/incidents/${id}/timeline?limit=4`);
    const rest = await api('GET', `/v1/incidents/${id}/timeline?cursor=${String(page.body['next_cursor'])}`);
    const seqs = [...(page.body.items ?? []), ...(rest.body.items ?? [])].map((entry) => entry['seq']);
    expect(seqs).toEqual([6, 5, 4, 3, 2, 1]);
  });

  it('is listed page by page, by state and severity', async () => {
    const mine = apiOf(await tokenOf(freshTenant()));
    const opened: unknown[] = [];
    for (const severity of ['low', 'high', 'low'] as const) {
      const { body } = await mine('POST', '/v1/incidents', { json: { title: `one that is ${severity}`, severity } });
      opened.unshift(body['incident_id']);
    }
    const first = await mine('GET', '/v1/incidents?limit=2');
    const second = await mine('GET', `/v1/incidents?limit=2&cursor=${String(first.body['next_cursor'])}`);
    const ids = [...(first.body.items ?? []), ...(second.body.items ?? [])].map((item) => item['incident_id']);
    expect(ids).toEqual(opened);
    expect(second.body['next_cursor']).toBeNull();
    expect((await mine('GET', '/v1/incidents?severity=low')).body.items).toHaveLength(2);
    expect((await mine('GET', '/v1/incidents?state=resolved')).body.items).toEqual([]);
    expect((await mine('GET', '/v1/incidents?severity=worst')).status).toBe(400);
    expect((await mine('GET', '/v1/incidents?cursor=nonsense')).status).toBe(400);
  });

  it('needs the roles: readers read, editors act, admins say how it escalates', async () => {
    const reader = apiOf(await tokenOf(tenant, ['reader']));
    const { body } = await api('POST', '/v1/incidents', { json: { title: 'for all to see' } });
    const id = String(body['incident_id']);
    expect((await reader('GET', `/v1/incidents/${id}`)).status).toBe(200);
    for (const action of ['acknowledge', 'resolve']) expect((await act(id, action, {}, reader)).status).toBe(403);
    expect((await reader('POST', '/v1/incidents', { json: { title: 'x' } })).status).toBe(403);
    const policy = {
      escalation: { critical: [{ after_minutes: 1, notify: ['ada'] }], high: [], medium: [], low: [] },
      reopen_minutes: 5,
    };
    expect((await api('PUT', '/v1/incident-policy', { json: policy })).status).toBe(403);
    const mine = freshTenant();
    const [boss, hand] = [apiOf(await tokenOf(mine, ['admin'])), apiOf(await tokenOf(mine, ['editor']))];
    expect((await boss('PUT', '/v1/incident-policy', { json: policy })).body).toEqual(policy);
    expect((await hand('GET', '/v1/incident-policy')).body).toEqual(policy);
    const disordered = {
      ...policy.escalation,
      low: [10, 5].map((after_minutes) => ({ after_minutes, notify: ['x'] })),
    };
    const refused = await boss('PUT', '/v1/incident-policy', { json: { ...policy, escalation: disordered } });
    expect(refused).toMatchObject({ status: 400, body: { field: '/escalation/low' } });
    const quiet = await hand('POST', '/v1/incidents', { json: { title: 'nobody is told', severity: 'high' } });
    expect(quiet.body['escalates_at']).toBeNull();
    const loud = await hand('POST', '/v1/incidents', { json: { title: 'ada is told', severity: 'critical' } });
    const due = Date.parse(String(loud.body['escalates_at'])) - Date.parse(String(loud.body['opened_at']));
    expect(due).toBe(60_000);
  });

  it('are of one tenant: the same incident of Monte Carlo in two is two, and neither sees the other', async () => {
    const other = freshTenant();
    const theirs = newAccount();
    const theirAdmin = apiOf(await tokenOf(other, ['admin']));
    await theirAdmin('PUT', '/v1/integrations/monte-carlo', { json: theirs });
    const ears = new Listener({}, { token: await tokenOf(other, ['reader']) });
    await ears.until(([first]) => first?.type === 'hello');
    const incidentId = randomUUID();
    const plan = { incidentId, tables: ['shop.sales.orders'] };
    const mine = await report(plan);
    const theirId = await report(plan, theirs);
    expect(theirId).not.toBe(mine);
    expect((await until(mine, () => true))['entities']).toHaveLength(1);
    const foreign = await until(theirId, () => true, theirAdmin);
    expect(foreign).toMatchObject({ entities: [], unmatched: ['shop.sales.orders'], reports: 1 });
    expect((await theirAdmin('GET', `/v1/incidents/${mine}`)).status).toBe(404);
    expect((await theirAdmin('GET', `/v1/incidents/${mine}/timeline`)).status).toBe(404);
    expect((await act(mine, 'resolve', {}, theirAdmin)).status).toBe(404);
    expect((await theirAdmin('GET', '/v1/incidents')).body.items).toHaveLength(1);
    // Signed by the one's secret in the other's name.
    const forged = bodyOf(account, plan);
    expect((await deliver({ ...theirs, account_id: account.account_id }, forged)).status).toBe(403);
    await ears.until(({ length }) => length > 1);
    const messages = ears.messages.filter((message): message is IncidentMessage => message.type === 'incident');
    expect(messages.every(({ incident_id }) => incident_id === theirId)).toBe(true);
    ears.close();
  });
});
