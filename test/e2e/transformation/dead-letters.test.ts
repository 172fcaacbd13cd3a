import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { GroupCommitProducer } from '#platform/kafka/producer.ts';
import { createLogger } from '#platform/logger.ts';
import { metadataId } from '#platform/digest.ts';
import { entityKey, ingestHeaders, topics } from '#domain/topics.ts';
import { apiOf, freshTenant, stack, tokenOf, waiting, type Api } from '#test/e2e/api/client.ts';

const minutes = 60_000;
const config = loadConfig(process.env);
const kafka = createKafka(config.kafka, 'lily-test', createLogger({ logLevel: 'silent', service: 'test' }));
const producer = new GroupCommitProducer(kafka);
beforeAll(() => producer.connect());
afterAll(() => producer.close());

/** Writes to the topic as a foreign producer would, who may send anything. */
async function produce(tenant: string, records: { id: string; key: string; body: string }[]): Promise<void> {
  await producer.send(
    topics.ingest,
    records.map(({ id, key, body }) => ({
      key: entityKey(tenant, key),
      value: body,
      headers: {
        [ingestHeaders.tenant]: tenant,
        [ingestHeaders.recordId]: id,
        [ingestHeaders.receivedAt]: new Date().toISOString(),
        [ingestHeaders.actor]: 'sensor',
        [ingestHeaders.door]: 'stream',
      },
    })),
  );
}

async function eventually<T>(
  look: () => Promise<T>,
  holds: (value: T) => boolean,
  timeoutMs = 2 * minutes,
): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(150)) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(value).slice(0, 1_000)}`);
  }
}

const letters =
  (api: Api, query = '') =>
  async () =>
    (await api('GET', `/v1/dead-letters?counts=true${query}`)).body;
const ended = (body: Record<string, unknown>): boolean => !['running', 'paused'].includes(body['state'] as string);
const job = (api: Api, path: string) => () => api('GET', path).then(({ body }) => body);

const table = (name: string, attributes: object = {}) => ({
  op: 'upsert',
  entity_type: 'table',
  qualified_name: name,
  attributes: { name, ...attributes },
});

describe('a record that cannot be processed', () => {
  it(
    'waits with its reason, is mended and replayed, and is there once',
    async () => {
      const tenant = freshTenant();
      const [operator, reader, editor] = [
        apiOf(await tokenOf(tenant, ['operator'])),
        apiOf(await tokenOf(tenant, ['reader'])),
        apiOf(await tokenOf(tenant, ['editor'])),
      ];
      const stranger = apiOf(await tokenOf(freshTenant(), ['admin']));
      const id = `bad/${tenant}`;
      const path = `/v1/dead-letters/${encodeURIComponent(id)}`;
      const broken = '{"op":"upsert","entity_type":"table","password":"hunter2"';
      await produce(tenant, [{ id, key: metadataId(tenant, 'table', 'orders'), body: broken }]);
      const list = await eventually(letters(reader), (body) => body.items?.length === 1);
      expect(list).toMatchObject({ counts: { 'malformed-json': 1 }, items: [{ record_id: id, state: 'open' }] });
      expect(JSON.stringify([list, (await reader('GET', path)).body])).not.toContain('hunter2');
      expect((await editor('GET', path)).body['body']).toBe(broken);

      // Strangers see nothing of it, and readers change nothing.
      for (const [method, at, json] of [
        ['GET', path, undefined],
        ['PUT', path, { body: table('x') }],
        ['POST', `${path}/replay`, {}],
        ['POST', `${path}/discard`, { reason: 'x' }],
      ] as const) {
        expect((await stranger(method, at, { json })).status).toBe(404);
        if (method !== 'GET') expect((await reader(method, at, { json })).status).toBe(403);
      }
      expect((await editor('POST', `${path}/replay`, { json: {} })).status).toBe(403);
      expect((await editor('PUT', path, { json: { body: { op: 'upsert' } } })).body).toMatchObject({
        status: 400,
        code: 'invalid-input',
      });

      expect((await editor('PUT', path, { json: { body: table('orders', { mended: true }) } })).status).toBe(200);
      const started = await operator('POST', `${path}/replay`, { json: {}, headers: { 'Idempotency-Key': 'once' } });
      expect(started.status).toBe(202);
      const again = await operator('POST', `${path}/replay`, { json: {}, headers: { 'Idempotency-Key': 'once' } });
      expect(again.body['job_id']).toBe(started.body['job_id']);
      const done = await eventually(job(reader, started.headers.get('location') ?? ''), ended);
      expect(done).toMatchObject({ state: 'completed', counts: { letters: 1, resolved: 1 }, started_by: 'ada' });
      const entity = await reader('GET', `/metadata/${metadataId(tenant, 'table', 'orders')}`);
      expect(entity.body).toMatchObject({ version: 1, attributes: { mended: true } });
      const after = await editor('GET', path);
      expect(after.body).toMatchObject({ state: 'resolved', body: broken, attempts: [{ outcome: 'resolved' }] });
      expect((await operator('POST', `${path}/replay`, { json: {} })).status).toBe(409);
      expect((await stranger('GET', started.headers.get('location') ?? '')).status).toBe(404);
    },
    2 * minutes,
  );

  it(
    'is replayed once among a thousand, though the worker is killed in the middle',
    async () => {
      const tenant = freshTenant();
      const api = apiOf(await tokenOf(tenant, ['admin']));
      const rule = { name: 'needs-owner', kind: 'derive', path: 'owner', expression: 'attributes.missing' };
      const tests = [{ given: { entity_type: 'table', attributes: { name: 'x' } }, expect: { failed: 'needs-owner' } }];
      const drafted = await api('PUT', '/v1/transformation-rules', { json: { rules: [rule], tests } });
      await api('POST', `${drafted.headers.get('location')}/activate`);
      const count = 1_000;
      await produce(
        tenant,
        Array.from({ length: count }, (_, index) => {
          const name = `t${index}`;
          return {
            id: `${tenant}-${index}`,
            key: metadataId(tenant, 'table', name),
            body: JSON.stringify(table(name)),
          };
        }),
      );
      await eventually(letters(api), (body) => (body['counts'] as Record<string, number>)['rule-failed'] === count);
      const off = await api('PUT', '/v1/transformation-rules', { json: { rules: [] } });
      expect((await api('POST', `${off.headers.get('location')}/activate`)).status).toBe(200);

      const started = await api('POST', '/v1/dead-letters/replay', { json: { filter: { reason: 'rule-failed' } } });
      const look = job(api, started.headers.get('location') ?? '');
      await eventually(look, (body) => (body['pages'] as number) >= 1);
      await stack.kill('worker');
      await stack.start('worker');
      const done = await eventually(look, ended, 3 * minutes);
      expect(done).toMatchObject({ state: 'completed', counts: { letters: count, resolved: count, rejected: 0 } });
      const left = await letters(api, '&state=open')();
      expect(left.items).toEqual([]);
      let seen = 0;
      for (let cursor = ''; ;) {
        const page = await api('GET', `/v1/metadata?limit=200${cursor}`);
        seen += page.body.items?.length ?? 0;
        expect(page.body.items?.every((item) => item['version'] === 1)).toBe(true);
        if (page.body['next_cursor'] === null) break;
        cursor = `&cursor=${page.body['next_cursor'] as string}`;
      }
      expect(seen).toBe(count);
    },
    5 * minutes,
  );
});

describe('transformation rules', () => {
  it(
    'are drafted, tried and switched on; from then on what is secret is masked, and reprocessing masks what was there',
    async () => {
      const tenant = freshTenant();
      const [admin, operator, other] = [
        apiOf(await tokenOf(tenant, ['admin'])),
        apiOf(await tokenOf(tenant, ['operator'])),
        apiOf(await tokenOf(freshTenant(), ['admin'])),
      ];
      const person = (name: string) => ({ entity_type: 'person', attributes: { name, mail: `${name}@example.org` } });
      const ingest = (api: Api, name: string) =>
        api('POST', '/ingest-metadata', { json: person(name), headers: waiting });
      const before = (await ingest(operator, 'ada')).body['metadata_id'] as string;

      const rule = { name: 'mask-mail', kind: 'mask', path: 'mail', method: 'partial', keep_start: 1, keep_end: 4 };
      const test = (mail: string) => ({ given: person('ada'), expect: { attributes: { name: 'ada', mail } } });
      const put = (json: object) => operator('PUT', '/v1/transformation-rules', { json });
      const broken = await put({ rules: [{ ...rule, when: 'attributes.' }] });
      expect(broken.body).toMatchObject({ status: 400, errors: [{ field: '/rules/0/when' }] });
      const wrong = await put({ rules: [rule], tests: [test('ada@example.org')] });
      const activate = (api: Api, at: string | null) => api('POST', `${at}/activate`);
      expect((await activate(admin, wrong.headers.get('location'))).status).toBe(409);
      expect((await activate(admin, (await put({ rules: [rule] })).headers.get('location'))).status).toBe(409);
      const right = await put({ rules: [rule], tests: [test('a****.org')] });
      const at = right.headers.get('location') ?? '';
      const trial = await operator('POST', `${at}/test`, {
        json: { records: [person('eve')], sample: { from: 'raw-records' } },
      });
      expect(trial.body).toMatchObject({
        passed: true,
        counts: { changed: 2 },
        results: [
          {
            changes: [{ path: '/attributes/mail', before: 'eve@example.org', after: 'e****.org' }],
            changed_by: [{ rule: 'mask-mail' }],
          },
          {},
        ],
      });
      expect((await activate(operator, at)).status).toBe(403);
      expect((await activate(other, at)).status).toBe(404);
      expect((await activate(admin, at)).body).toMatchObject({ state: 'active', version: 3 });

      const mailOf = async (id: string): Promise<unknown> =>
        ((await operator('GET', `/metadata/${id}`)).body['attributes'] as Record<string, unknown>)['mail'];
      const next = (await ingest(operator, 'bob')).body['metadata_id'] as string;
      const theirs = (await ingest(other, 'bob')).body['metadata_id'] as string;
      expect([await mailOf(before), await mailOf(next)]).toEqual(['ada@example.org', 'b****.org']);
      expect((await other('GET', `/metadata/${theirs}`)).body).toMatchObject({
        attributes: { mail: 'bob@example.org' },
      });

      const range = { from: '2020-01-01T00:00:00Z', to: new Date(Date.now() + minutes).toISOString() };
      const reprocess = async (json: object) => {
        const started = await operator('POST', '/v1/reprocessings', { json });
        expect(started.status, JSON.stringify(started.body)).toBe(202);
        return eventually(job(operator, started.headers.get('location') ?? ''), ended);
      };
      const dry = await reprocess({ ...range, dry_run: true });
      expect(dry).toMatchObject({
        state: 'completed',
        counts: { records: 2, entities: 2, unchanged: 1, changing: 1 },
        samples: [
          { metadata_id: before, change: 'updated', differences: [{ path: '/attributes/mail', after: 'a****.org' }] },
        ],
      });
      expect(await mailOf(before)).toBe('ada@example.org');
      expect(await reprocess(range)).toMatchObject({ state: 'completed', counts: { changing: 1, updated: 1 } });
      expect(await mailOf(before)).toBe('a****.org');
      expect((await operator('GET', `/metadata/${before}`)).body['version']).toBe(2);
      expect(await reprocess(range)).toMatchObject({ counts: { unchanged: 2, changing: 0 } });
      const { body } = await operator('GET', '/v1/transformation-rules');
      expect(body).toMatchObject({ active_version: 3, history: [{ version: 3, by: 'ada' }] });
    },
    3 * minutes,
  );
});
