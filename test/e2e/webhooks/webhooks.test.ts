import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { apiOf, freshTenant, stack, tokenOf, type Answer, type Api } from '../api/client.ts';

const tenant = freshTenant();
let api: Api;
const post = apiOf();

beforeAll(async () => {
  api = apiOf(await tokenOf(tenant, ['admin']));
});

interface Registered {
  address: string;
  secret: string;
}

async function register(source: string, body: object = {}, as = api): Promise<Registered> {
  const { status, body: answer } = await as('PUT', `/v1/integrations/webhooks/${source}`, { json: body });
  expect(status).toBe(201);
  return { address: answer['address'] as string, secret: answer['secret'] as string };
}

let messages = 0;

/** Sends as the genuine library signs. */
function send(
  { address, secret }: Registered,
  body: string,
  { id = `msg_${++messages}`, at = new Date(), also = [] as string[] } = {},
): Promise<Answer> {
  const signatures = [...also, secret].map((key) => new Webhook(key).sign(id, at, body));
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': signatures.join(' '),
  };
  return post('POST', address, { raw: body, headers });
}

const table = (name: string, more: object = {}): object => ({ entity_type: 'table', name, ...more });

async function fateOf(recordId: unknown, as = api): Promise<Answer['body']> {
  return vi.waitFor(
    async () => {
      const { status, body } = await as('GET', `/v1/records/${String(recordId)}`);
      if (status !== 200 || body['state'] === 'pending') throw new Error('not yet');
      return body;
    },
    { timeout: 20_000, interval: 50 },
  );
}

describe('/webhook/{endpoint}', () => {
  it('applies what a signed webhook says, with everything that it does not know', async () => {
    const endpoint = await register('first');
    expect(endpoint.secret).toMatch(/^whsec_/);
    const { status, body } = await send(endpoint, JSON.stringify([table('a', { owner: { team: 'x' } }), table('b')]));
    expect(status).toBe(202);
    expect(body.results?.map((result) => result['status'])).toEqual(['accepted', 'accepted']);
    const [first] = body.results ?? [];
    expect(await fateOf(first?.['record_id'])).toMatchObject({ state: 'applied', version: 1 });
    const { body: entity } = await api('GET', `/metadata/${String(first?.['metadata_id'])}`);
    expect(entity).toMatchObject({ qualified_name: 'a', attributes: { name: 'a', owner: { team: 'x' } } });
    const { body: versions } = await api('GET', `/v1/metadata/${String(first?.['metadata_id'])}/versions`);
    expect(versions.items?.[0]).toMatchObject({ actor: 'webhook:first' });
  });

  it('maps what somebody else made', async () => {
    const endpoint = await register('mapped', {
      mapping: {
        records: '/changes',
        entity_type: { value: 'table' },
        qualified_name: '/object/path',
        attributes: { name: '/object/name', owner: { path: '/owner', default: 'nobody' } },
      },
    });
    const payload = { changes: [{ object: { path: 'p.q', name: 'q' } }, { object: { path: 'p.r' } }] };
    const { body } = await send(endpoint, JSON.stringify(payload));
    expect(body.results).toMatchObject([
      { status: 'accepted' },
      { status: 'dead-letter', reason: 'invalid-record', detail: expect.stringMatching(/^row 2: .*name/) as string },
    ]);
    const id = String(body.results?.[0]?.['metadata_id']);
    await fateOf(body.results?.[0]?.['record_id']);
    expect((await api('GET', `/metadata/${id}`)).body).toMatchObject({
      qualified_name: 'p.q',
      attributes: { name: 'q', owner: 'nobody' },
    });
    expect(await fateOf(body.results?.[1]?.['record_id'])).toMatchObject({
      state: 'rejected',
      reason: 'invalid-record',
    });
  });

  it('applies a webhook once that comes again and again, at once and later, and answers the same', async () => {
    const endpoint = await register('again');
    const body = JSON.stringify(table('once', { n: 1 }));
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(endpoint, body, { id: 'msg_same' })));
    for (const answer of answers) expect(answer.body).toEqual(answers[0]?.body);
    const [result] = answers[0]?.body.results ?? [];
    await fateOf(result?.['record_id']);
    const later = await send(endpoint, JSON.stringify(table('once', { n: 2 })));
    await fateOf(later.body.results?.[0]?.['record_id']);
    expect((await send(endpoint, body, { id: 'msg_same', at: new Date(Date.now() - 60_000) })).body).toEqual(
      answers[0]?.body,
    );
    const marker = await send(endpoint, JSON.stringify(table('once', { n: 3 })));
    await fateOf(marker.body.results?.[0]?.['record_id']);
    const { body: versions } = await api('GET', `/v1/metadata/${String(result?.['metadata_id'])}/versions`);
    expect(versions.items?.map((one) => (one['attributes'] as { n: number }).n)).toEqual([3, 2, 1]);
  });

  it('loses nothing that cannot be a record: it becomes a dead letter, and the answer says so', async () => {
    const endpoint = await register('odd');
    for (const [body, reason] of [
      ['{"entity_type":', 'malformed-json'],
      ['12', 'invalid-record'],
      ['{"id":12345678901234567890}', 'invalid-record'],
      ['{"entity_type":"no spaces","name":"x"}', 'invalid-record'],
    ] as const) {
      const answer = await send(endpoint, body);
      expect(answer.status, body).toBe(202);
      expect(answer.body.results, body).toMatchObject([{ status: 'dead-letter', reason }]);
      expect(await fateOf(answer.body.results?.[0]?.['record_id'])).toMatchObject({ state: 'rejected', reason });
    }
    expect((await send(endpoint, '[]')).body.results).toEqual([]);
    const large = JSON.stringify(table('large', { text: 'x'.repeat(600 * 1024) }));
    expect((await send(endpoint, large)).body.results).toMatchObject([{ status: 'dead-letter' }]);
    expect((await send(endpoint, `"${'x'.repeat(1024 * 1024)}"`)).status).toBe(413);
  });

  it('opens and joins incidents, once each, where the source says so', async () => {
    const endpoint = await register('checks', { kind: 'incident' });
    const report = {
      key: 'late',
      title: 'late',
      kind: 'freshness',
      entities: ['a'],
      occurred_at: '2026-01-01T00:00:00Z',
    };
    const opening = JSON.stringify({ ...report, status: 'open' });
    const opened = await send(endpoint, opening, { id: 'msg_open' });
    expect(opened.body.results).toMatchObject([{ status: 'incident' }]);
    expect((await send(endpoint, opening, { id: 'msg_open' })).body).toEqual(opened.body);
    const ended = await send(endpoint, JSON.stringify([{ ...report, status: 'resolved' }, { key: 'no form' }]));
    const [, faulty] = ended.body.results ?? [];
    expect(ended.body.results).toMatchObject([opened.body.results?.[0], { status: 'dead-letter' }]);
    expect(await fateOf(faulty?.['record_id'])).toMatchObject({ state: 'rejected' });
    const id = String(opened.body.results?.[0]?.['incident_id']);
    await vi.waitFor(
      async () => expect((await api('GET', `/v1/incidents/${id}`)).body['state']).toBe('resolved'),
      20_000,
    );
    expect((await send(endpoint, opening, { id: 'msg_open' })).body).toEqual(opened.body);
    const unknown = await send(endpoint, JSON.stringify({ ...report, key: 'never seen', status: 'resolved' }));
    expect(unknown.body.results).toEqual([{ status: 'ignored' }]);
    const bad = await api('PUT', '/v1/integrations/webhooks/checks', {
      json: { kind: 'incident', mapping: { entity_type: 'a', attributes: { name: 'b' } } },
    });
    expect(bad.body['field']).toBe('/mapping');
  });

  it('refuses every signature that is not right, and every clock that is far off', async () => {
    const endpoint = await register('guarded');
    const other = await register('other');
    const body = JSON.stringify(table('guarded'));
    const refused = [
      send({ ...endpoint, secret: other.secret }, body),
      send(endpoint, body, { at: new Date(Date.now() - 301_000) }),
      send(endpoint, body, { at: new Date(Date.now() + 310_000) }),
      post('POST', endpoint.address, { raw: body }),
    ];
    for (const answer of await Promise.all(refused)) {
      expect(answer.status).toBe(403);
      expect(answer.body['code']).toBe('bad-signature');
    }
    expect((await send({ ...endpoint, address: `${endpoint.address}x` }, body)).status).toBe(404);
    expect((await send(endpoint, body, { at: new Date(Date.now() - 290_000) })).status).toBe(202);
  });

  it('rotates: old and new secrets hold together, and the old one ends when it was told to', async () => {
    const endpoint = await register('turning');
    const rotate = async (json: object): Promise<Registered> => {
      const { status, body } = await api('POST', '/v1/integrations/webhooks/turning/rotate', { json });
      expect(status).toBe(200);
      return { address: endpoint.address, secret: body['secret'] as string };
    };
    const second = await rotate({ keep_previous_seconds: 2 });
    const body = JSON.stringify(table('turning'));
    expect((await send(endpoint, body)).status).toBe(202);
    expect((await send(second, body)).status).toBe(202);
    await vi.waitFor(async () => expect((await send(endpoint, body)).status).toBe(403), { timeout: 10_000 });
    expect((await send(second, body, { also: [endpoint.secret] })).status).toBe(202);
    const third = await rotate({ keep_previous_seconds: 0 });
    expect((await send(second, body)).status).toBe(403);
    expect((await send(third, body)).status).toBe(202);
  });

  it('takes the secret that the sender has made, and shows no secret again', async () => {
    const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    const put = await api('PUT', '/v1/integrations/webhooks/theirs', { json: { secret } });
    expect(put.status).toBe(201);
    expect(JSON.stringify(put.body)).not.toContain(secret);
    const address = put.body['address'] as string;
    expect((await send({ address, secret }, JSON.stringify(table('theirs')))).status).toBe(202);
    const again = await api('PUT', '/v1/integrations/webhooks/theirs', { json: { secret } });
    expect(again.status).toBe(200);
    expect(again.body['address']).toBe(address);
    for (const path of ['/v1/integrations/webhooks', '/v1/integrations/webhooks/theirs']) {
      expect(JSON.stringify((await api('GET', path)).body)).not.toMatch(/whsec_|sealed/);
    }
  });

  it('keeps tenants apart that use the same name, and forgets an address that is removed', async () => {
    const stranger = apiOf(await tokenOf(freshTenant(), ['admin']));
    const [ours, theirs] = [await register('github'), await register('github', {}, stranger)];
    expect(ours.address).not.toBe(theirs.address);
    const body = JSON.stringify(table('ours'));
    expect((await send({ ...theirs, secret: ours.secret }, body)).status).toBe(403);
    const { body: sent } = await send(ours, body);
    await fateOf(sent.results?.[0]?.['record_id']);
    expect((await stranger('GET', `/metadata/${String(sent.results?.[0]?.['metadata_id'])}`)).status).toBe(404);
    expect((await api('DELETE', '/v1/integrations/webhooks/github')).status).toBe(204);
    expect((await send(ours, body)).status).toBe(404);
    expect((await send(theirs, body)).status).toBe(202);
  });

  it('lets only admins register, and says what is wrong with a registration', async () => {
    const editor = apiOf(await tokenOf(tenant, ['editor']));
    expect((await editor('PUT', '/v1/integrations/webhooks/x', { json: {} })).status).toBe(403);
    expect((await api('PUT', '/v1/integrations/webhooks/X', { json: {} })).status).toBe(400);
    const bad = await api('PUT', '/v1/integrations/webhooks/x', { json: { mapping: { entity_type: 'x' } } });
    expect(bad.body['field']).toBe('/mapping/attributes');
    expect((await api('GET', '/v1/integrations/webhooks/none')).status).toBe(404);
  });

  it('answers the same after the API was killed in between', async () => {
    const endpoint = await register('crash');
    const body = JSON.stringify(table('crash'));
    const before = await send(endpoint, body, { id: 'msg_crash' });
    await stack.kill('api');
    await stack.start('api');
    // A connection that the client kept open is gone; whoever sends webhooks tries again.
    await vi.waitFor(async () => expect((await send(endpoint, body, { id: 'msg_crash' })).body).toEqual(before.body), {
      timeout: 20_000,
    });
    await fateOf(before.body.results?.[0]?.['record_id']);
    const { body: versions } = await api(
      'GET',
      `/v1/metadata/${String(before.body.results?.[0]?.['metadata_id'])}/versions`,
    );
    expect(versions.items).toHaveLength(1);
  });
});
