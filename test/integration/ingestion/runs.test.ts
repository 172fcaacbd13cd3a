import { randomBytes, randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { metadataId } from '#platform/digest.ts';
import { fetchToken } from '#deploy/local/fetch-token.ts';
import { openStack } from '#deploy/local/stack.ts';
import type { Role } from '#domain/access/principal.ts';
import { connectTemporal } from '#platform/temporal/client.ts';
import { installedVersions, startServer, type TestServer } from './postgres-servers.ts';
import { createWideDatabase } from './wide-database.ts';

const stack = openStack(process.env['LILY_STACK'] ?? 'test');
const minute = 60_000;

interface Run {
  run_id: string;
  state: string;
  counts: Record<'read' | 'applied' | 'created' | 'updated' | 'deleted' | 'unchanged' | 'rejected', number>;
  pages: number;
  reason: string | null;
  workflow_id: string;
  started_at: string;
  ended_at: string | null;
}
interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A tenant of its own, and the API as one of its people. */
async function someone(role: Role = 'operator', tenant = `t-${randomBytes(6).toString('hex')}`) {
  const token = await fetchToken(stack, { tenant, user: 'ada', roles: [role], expiresInSeconds: 3_600 });
  const call = async (
    method: string,
    path: string,
    json?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${stack.addresses.api}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    };
  };
  const start = (source: object, headers?: Record<string, string>): Promise<Answer> =>
    call('POST', '/v1/ingestions', { source: { type: 'postgres', ...source } }, headers);
  const look = async (runId: string): Promise<Run> =>
    (await call('GET', `/v1/ingestions/${runId}`)).body as unknown as Run;
  const finish = async (source: object): Promise<Run> => {
    const started = await start(source);
    expect(started.status, JSON.stringify(started.body)).toBe(202);
    return settled(String(started.body['run_id']));
  };
  const settled = async (runId: string): Promise<Run> => {
    await expect
      .poll(async () => (await look(runId)).ended_at, { timeout: 3 * minute, interval: 200 })
      .toEqual(expect.any(String));
    return look(runId);
  };
  const idOf = (type: string, name: string): string => metadataId(tenant, type, name);
  return { tenant, call, start, look, finish, settled, idOf };
}

let server: TestServer;
beforeAll(async () => {
  const [newest] = installedVersions();
  if (newest === undefined) throw new Error('no PostgreSQL');
  server = await startServer(newest.binaries);
});
afterAll(async () => server.stop());

describe('a database of 1,000 tables and 20,000 columns', () => {
  test(
    'is crawled; crawled again it writes no version; renaming a column changes exactly what follows from it',
    { timeout: 10 * minute },
    async () => {
      const { client, url, name } = await server.database();
      const { call, finish, idOf } = await someone();
      await createWideDatabase(client, { tables: 1_000, columnsPerTable: 20, views: 3 });
      const first = await finish({ url });
      // 1,000 tables and 3 views with 20 columns each, two schemas, the database.
      const total = 1_003 * 21 + 3;
      expect(first).toMatchObject({
        state: 'completed',
        counts: { read: total, applied: total, created: total, unchanged: 0, rejected: 0 },
      });
      const seconds = (Date.parse(first.ended_at ?? '') - Date.parse(first.started_at)) / 1_000;
      console.log(`crawled ${total} entities in ${seconds} s: ${Math.round(20_060 / seconds)} columns/s`);

      const second = await finish({ url });
      expect(second).toMatchObject({ state: 'completed', counts: { read: total, applied: 0, unchanged: total } });

      await client.query('ALTER TABLE wide.t_0001 RENAME c_02 TO renamed');
      const third = await finish({ url });
      // Created: the column. Deleted: the column. Updated: the view over the table, and its column that comes from it.
      expect(third).toMatchObject({ state: 'completed', counts: { created: 1, deleted: 1, updated: 2, rejected: 0 } });
      const gone = await call('GET', `/metadata/${idOf('column', `${name}.wide.t_0001.c_02`)}`);
      expect(gone.status).toBe(404);
      const lineage = await call(
        'GET',
        `/v1/metadata/${idOf('column', `${name}.wide.v_0003.c_02`)}/lineage?direction=upstream&depth=5`,
      );
      expect(JSON.stringify(lineage.body)).toContain(`${name}.wide.t_0001.renamed`);
      const table = await call('GET', `/v1/metadata/${idOf('table', `${name}.wide.t_0001`)}/versions`);
      expect(table.body['items']).toHaveLength(1);
    },
  );
});

describe('deleting', () => {
  test(
    'touches nothing that this crawl could not have seen, and nothing of others',
    { timeout: 3 * minute },
    async () => {
      const { client, url, name } = await server.database();
      const { call, finish, idOf } = await someone();
      await client.query(
        'CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (x int); CREATE TABLE b.t (x int); CREATE TABLE b.u (x int)',
      );
      await finish({ url });
      await client.query('DROP TABLE a.t; DROP TABLE b.t');
      const part = await finish({ url, schemas: ['a'] });
      expect(part.counts.deleted).toBe(2);
      const status = async (type: string, local: string): Promise<number> =>
        (await call('GET', `/metadata/${idOf(type, `${name}.${local}`)}`)).status;
      expect(await status('table', 'a.t')).toBe(404);
      expect(await status('table', 'b.t')).toBe(200);
      const whole = await finish({ url });
      expect(whole.counts.deleted).toBe(2);
      expect(await status('column', 'b.t.x')).toBe(404);
      expect(await status('column', 'b.u.x')).toBe(200);
    },
  );
});

describe('steering', () => {
  test(
    'a run is paused, resumed and cancelled; one source has one run at a time',
    { timeout: 5 * minute },
    async () => {
      const { client, url } = await server.database();
      const { call, start, look, settled } = await someone();
      await createWideDatabase(client, { tables: 400, columnsPerTable: 20 });
      const source = { url, page_size: 50 };
      const started = await start(source);
      const runId = String(started.body['run_id']);
      expect(started.headers.get('location')).toBe(`/v1/ingestions/${runId}`);
      await expect.poll(async () => (await look(runId)).pages, { timeout: minute }).toBeGreaterThan(1);

      const again = await start(source);
      expect(again.status).toBe(409);
      expect(again.body['detail']).toContain(runId);

      const act = (action: string): Promise<Answer> => call('POST', `/v1/ingestions/${runId}/${action}`);
      expect((await act('resume')).status).toBe(409);
      const paused = await act('pause');
      expect(paused).toMatchObject({ status: 200, body: { state: 'paused' } });
      expect((await act('pause')).status).toBe(409);
      await new Promise((done) => setTimeout(done, 2_000));
      const { pages } = await look(runId);
      await new Promise((done) => setTimeout(done, 2_000));
      expect(await look(runId)).toMatchObject({ state: 'paused', pages });
      expect((await act('resume')).body).toMatchObject({ state: 'running' });
      await expect.poll(async () => (await look(runId)).pages, { timeout: minute }).toBeGreaterThan(pages);
      expect((await act('cancel')).status).toBe(200);
      const end = await settled(runId);
      expect(end).toMatchObject({ state: 'cancelled', counts: { deleted: 0 } });
      expect(end.pages).toBeLessThan(100);
      expect((await act('cancel')).status).toBe(409);

      const next = await start({ ...source, page_size: 5_000 });
      expect(next.status).toBe(202);
      expect((await settled(String(next.body['run_id']))).state).toBe('completed');
      const list = await call('GET', '/v1/ingestions?limit=1');
      expect(list.body['items']).toMatchObject([{ run_id: next.body['run_id'] }]);
      const older = await call('GET', `/v1/ingestions?cursor=${String(list.body['next_cursor'])}`);
      expect(older.body).toMatchObject({ items: [{ run_id: runId }], next_cursor: null });
      expect((await call('GET', '/v1/ingestions?state=cancelled')).body['items']).toHaveLength(1);
    },
  );
});

describe('what does not work out', () => {
  test(
    'a wrong password ends the run at once, with the reason and without the password',
    { timeout: 2 * minute },
    async () => {
      const { urlFor } = await server.database();
      const { finish } = await someone();
      const run = await finish({ url: urlFor('lily', 'hunter2') });
      expect(run).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('does not let the user lily in') as string,
      });
      expect(JSON.stringify(run)).not.toContain('hunter2');
    },
  );

  test('bad requests are refused by name', async () => {
    const { call, start } = await someone();
    const { start: startAsReader } = await someone('reader');
    const url = 'postgres://u:hunter2@127.0.0.1:1/d';
    expect((await startAsReader({ url })).status).toBe(403);
    for (const [source, field] of [
      [{}, '/source/url'],
      [{ url, schema: 'x' }, '/source/schema'],
      [{ url: 'mysql://u:hunter2@h/d' }, '/source/url'],
      [{ url, type: 'oracle' }, '/source'],
      [{ url, page_size: 0 }, '/source/page_size'],
    ] as const) {
      const { status, body } = await start(source);
      expect([status, String(body['field']).startsWith(field)], JSON.stringify(body)).toEqual([400, true]);
      expect(JSON.stringify(body)).not.toContain('hunter2');
    }
    expect((await start({ url: 'postgres://u@no-such-host.invalid/d' })).body).toMatchObject({
      status: 422,
      code: 'source-unreachable',
    });
    expect((await call('GET', '/v1/ingestions?state=odd')).status).toBe(400);
    expect((await call('GET', '/v1/ingestions?cursor=odd')).status).toBe(400);
    expect((await call('GET', '/v1/ingestions/odd')).status).toBe(404);
    expect((await call('GET', `/v1/ingestions/${randomUUID()}`)).status).toBe(404);
  });

  test("another tenant's run is not there", { timeout: 2 * minute }, async () => {
    const { url } = await server.database();
    const owner = await someone();
    const other = await someone();
    const run = await owner.finish({ url });
    expect((await other.call('GET', `/v1/ingestions/${run.run_id}`)).status).toBe(404);
    expect((await other.call('POST', `/v1/ingestions/${run.run_id}/cancel`)).status).toBe(404);
    expect((await other.call('GET', '/v1/ingestions')).body).toEqual({ items: [], next_cursor: null });
    // Each tenant may read the same database for itself.
    expect((await other.finish({ url })).state).toBe('completed');
  });
});

describe('repeating and hiding', () => {
  test(
    'the same Idempotency-Key starts one run, and the password is nowhere to be found',
    { timeout: 2 * minute },
    async () => {
      const { client, urlFor } = await server.database();
      const secret = `secret-${randomUUID()}`;
      const role = `r_${randomBytes(4).toString('hex')}`;
      await client.query(`CREATE ROLE ${role} LOGIN PASSWORD '${secret}'`);
      const { start, settled, tenant } = await someone();
      const key = { 'Idempotency-Key': randomUUID() };
      const source = { url: urlFor(role, secret) };
      const answers = await Promise.all([start(source, key), start(source, key), start(source, key)]);
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
      expect(new Set(answers.map(({ body }) => body['run_id'])).size).toBe(1);
      const reused = await start({ ...source, page_size: 100 }, key);
      expect(reused).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
      const run = await settled(String(answers[0]?.body['run_id']));
      expect(run.state).toBe('completed');
      expect(JSON.stringify(run)).not.toContain(secret);

      const mongo = await MongoClient.connect(stack.env['LILY_MONGO_URL'] ?? '');
      try {
        const db = mongo.db(stack.env['LILY_MONGO_DATABASE'] ?? 'lily');
        for (const { name } of await db.listCollections().toArray()) {
          const found = await db
            .collection(name)
            .find({ $or: [{ tenant_id: tenant }, { '_id.tenant': tenant }] })
            .toArray();
          expect(JSON.stringify(found), name).not.toContain(secret);
        }
      } finally {
        await mongo.close();
      }
      const temporal = await connectTemporal({
        address: stack.env['LILY_TEMPORAL_ADDRESS'] ?? '',
        namespace: stack.env['LILY_TEMPORAL_NAMESPACE'] ?? 'default',
        uiUrl: undefined,
      });
      const history = await temporal.workflow.getHandle(run.workflow_id).fetchHistory();
      const payloads = JSON.stringify(history, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
      );
      expect(payloads).toContain(tenant);
      expect(payloads).not.toContain(secret);
      await temporal.connection.close();
    },
  );
});
