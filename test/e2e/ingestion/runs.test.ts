import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npmBinaries } from '#deploy/local/warehouse/binaries.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { apiOf, freshTenant, stack, tokenOf, type Api } from '#test/e2e/api/client.ts';
import { startServer, type TestServer } from '#test/integration/ingestion/postgres-servers.ts';
import { createWideDatabase } from '#test/integration/ingestion/wide-database.ts';

const wide = { tables: 1_000, columnsPerTable: 20, views: 3 };
/** Database, schema, tables, views and all their columns, and the schema that every database has. */
const entitiesOfWide = 3 + (wide.tables + wide.views) * (1 + wide.columnsPerTable);
const minutes = 60_000;

let server: TestServer;
let mongo: Mongo;

beforeAll(async () => {
  server = await startServer(npmBinaries());
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(async () => {
  await mongo.client.close();
  await server.stop();
});

interface Run {
  run_id: string;
  state: string;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
}

async function operator(): Promise<{ tenant: string; api: Api }> {
  const tenant = freshTenant();
  return { tenant, api: apiOf(await tokenOf(tenant, ['operator'])) };
}

async function start(api: Api, source: object): Promise<string> {
  const answer = await api('POST', '/v1/ingestions', { json: { source } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body['run_id'] as string;
}

async function look(api: Api, runId: string): Promise<Run> {
  return (await api('GET', `/v1/ingestions/${runId}`)).body as unknown as Run;
}

async function until(api: Api, runId: string, condition: (run: Run) => boolean): Promise<Run> {
  for (const deadline = Date.now() + 2 * minutes; ; await sleep(100)) {
    const run = await look(api, runId);
    if (condition(run)) return run;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(run)}`);
  }
}

const ended = (run: Run): boolean => !['running', 'paused'].includes(run.state);

async function crawl(api: Api, source: object): Promise<Run> {
  return until(api, await start(api, source), ended);
}

/** What a run changed, as `created column wide.…`. */
async function changesOf(tenant: string, run: Run): Promise<string[]> {
  const versions = await mongo.db
    .collection('entity_versions')
    .find({ tenant_id: tenant, batch_id: new RegExp(`^${tenant}:run:${run.run_id}:`) })
    .toArray();
  return versions.map((one) => `${one['change']} ${one['entity_type']} ${one['qualified_name']}`).sort();
}

describe('a run over a database with 1,000 tables and 20,000 columns', () => {
  it(
    'completes; the next writes no version; a renamed column yields exactly what follows from it',
    async () => {
      const { tenant, api } = await operator();
      const database = await server.database('big');
      await createWideDatabase(database.client, wide);
      const source = { type: 'postgres', url: database.url };

      const first = await crawl(api, source);
      expect(first).toMatchObject({ state: 'completed', counts: { read: entitiesOfWide, created: entitiesOfWide } });

      const second = await crawl(api, source);
      expect(second).toMatchObject({ state: 'completed', counts: { read: entitiesOfWide, unchanged: entitiesOfWide } });
      expect(await changesOf(tenant, second)).toEqual([]);

      await database.client.query('ALTER TABLE wide.t_0001 RENAME COLUMN c_02 TO c_02_new');
      const third = await crawl(api, source);
      expect(third.state).toBe('completed');
      expect(await changesOf(tenant, third)).toEqual([
        'created column big.wide.t_0001.c_02_new',
        'deleted column big.wide.t_0001.c_02',
        'updated column big.wide.v_0001.c_02',
        'updated view big.wide.v_0001',
      ]);
    },
    5 * minutes,
  );

  it(
    'goes on where it was when its worker is killed, and reads each page once',
    async () => {
      const { api } = await operator();
      const database = await server.database();
      await createWideDatabase(database.client, { tables: 400, columnsPerTable: 20 });
      const runId = await start(api, { type: 'postgres', url: database.url, page_size: 200 });
      const before = await until(api, runId, (run) => run.pages >= 5);
      await stack.kill('worker');
      await stack.start('worker');
      const run = await until(api, runId, ended);
      const expected = 3 + 400 * 21;
      expect(run).toMatchObject({ state: 'completed', counts: { read: expected, created: expected, unchanged: 0 } });
      expect(run.pages).toBeGreaterThan(before.pages);
      const landed = await mongo.db
        .collection('raw_records')
        .countDocuments({ _id: new RegExp(`^${runId}:`) as never });
      expect(landed).toBe(expected);
    },
    4 * minutes,
  );
});

describe('a run that does not come to its end', () => {
  it(
    'can be paused, resumed and cancelled, keeps what it applied, and deletes nothing',
    async () => {
      const { api } = await operator();
      const database = await server.database();
      await createWideDatabase(database.client, { tables: 300, columnsPerTable: 20 });
      const runId = await start(api, { type: 'postgres', url: database.url, page_size: 100 });
      await until(api, runId, (run) => run.pages >= 2);

      expect((await api('POST', `/v1/ingestions/${runId}/pause`)).status).toBe(200);
      await sleep(1_500);
      const paused = await look(api, runId);
      expect(paused.state).toBe('paused');
      await sleep(1_500);
      expect((await look(api, runId)).pages).toBe(paused.pages);

      expect((await api('POST', `/v1/ingestions/${runId}/resume`)).status).toBe(200);
      await until(api, runId, (run) => run.pages > paused.pages);
      expect((await api('POST', `/v1/ingestions/${runId}/cancel`)).status).toBe(200);
      const run = await until(api, runId, ended);
      expect(run).toMatchObject({ state: 'cancelled', counts: { deleted: 0 } });
      expect(run.counts['created']).toBeGreaterThan(0);
      expect((await api('POST', `/v1/ingestions/${runId}/resume`)).status).toBe(409);
    },
    3 * minutes,
  );

  it(
    'marks what disappeared as deleted, after a complete enumeration only',
    async () => {
      const { tenant, api } = await operator();
      const database = await server.database();
      await createWideDatabase(database.client, { tables: 5, columnsPerTable: 2 });
      const source = { type: 'postgres', url: database.url };
      await crawl(api, source);
      await database.client.query('DROP TABLE wide.t_0005');

      const refused = await crawl(api, { ...source, url: database.urlFor('lily', 'wrong') });
      expect(refused).toMatchObject({ state: 'failed', counts: { deleted: 0 } });
      expect(refused.reason).not.toContain('wrong');

      const run = await crawl(api, source);
      expect(await changesOf(tenant, run)).toEqual([
        `deleted column ${database.name}.wide.t_0005.c_01`,
        `deleted column ${database.name}.wide.t_0005.c_02`,
        `deleted table ${database.name}.wide.t_0005`,
      ]);
    },
    3 * minutes,
  );

  it("is another tenant's secret", async () => {
    const { api } = await operator();
    const stranger = await operator();
    const database = await server.database();
    const runId = await start(api, { type: 'postgres', url: database.url });
    for (const path of ['', '/pause', '/resume', '/cancel']) {
      const method = path === '' ? 'GET' : 'POST';
      expect((await stranger.api(method, `/v1/ingestions/${runId}${path}`)).status).toBe(404);
    }
    expect((await stranger.api('GET', '/v1/ingestions')).body.items).toEqual([]);
    await until(api, runId, ended);
  });
});
