import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npmBinaries } from '#deploy/local/warehouse/binaries.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { startServer, type TestServer } from '#test/integration/ingestion/postgres-servers.ts';
import { createWideDatabase } from '#test/integration/ingestion/wide-database.ts';
import { ended, operator, type Run } from './operator.ts';

const wide = { tables: 150, columnsPerTable: 20 };
/** Database, two schemas, tables and their columns. */
const entitiesOfWide = 3 + wide.tables * (1 + wide.columnsPerTable);

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

/** Each record landed once, each page in one batch: nothing was read or applied twice. */
async function expectNothingRepeated(tenant: string, run: Run): Promise<void> {
  const records = mongo.db.collection('raw_records').find({ _id: new RegExp(`^${run.run_id}:`) });
  const landed = await records.project<{ batch_id: string }>({ batch_id: 1 }).toArray();
  expect(landed).toHaveLength(entitiesOfWide);
  const labels = new Set(landed.map(({ batch_id }) => batch_id.slice(`${tenant}:run:${run.run_id}:`.length)));
  expect([...labels].sort()).toEqual(Array.from({ length: run.pages }, (_, page) => `1:${page + 1}`).sort());
  const versions = await mongo.db.collection('entity_versions').countDocuments({ tenant_id: tenant });
  expect(versions).toBe(entitiesOfWide);
}

describe('a run that stopped in the middle', () => {
  it('goes on where it was when the source let it in no more, and does again', async () => {
    const { tenant, start, act, runUntil } = await operator();
    const { client, name, urlFor } = await server.database();
    await createWideDatabase(client, wide);
    const role = `r_${name}`;
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pw'`);
    const runId = await start({ source: { type: 'postgres', url: urlFor(role, 'pw'), page_size: 100 } });
    await runUntil(runId, (run) => run.pages >= 3);
    await client.query(`ALTER ROLE ${role} NOLOGIN`);
    const failed = await runUntil(runId, ended);
    expect(failed).toMatchObject({ state: 'failed', counts: { deleted: 0 } });
    expect(failed.counts['read']).toBeLessThan(entitiesOfWide);
    expect(failed.counts['read']).toBe(failed.counts['created']);

    // Nothing has changed: the next attempt fails as well, and loses nothing.
    expect((await act(`/v1/ingestions/${runId}/retry`)).status).toBe(202);
    expect(await runUntil(runId, ended)).toMatchObject({ state: 'failed', pages: failed.pages, counts: failed.counts });

    await client.query(`ALTER ROLE ${role} LOGIN`);
    const again = await act(`/v1/ingestions/${runId}/retry`);
    expect(again).toMatchObject({ status: 202, body: { run_id: runId, state: 'running', pages: failed.pages } });
    expect((await act(`/v1/ingestions/${runId}/retry`)).status).toBe(409);
    const run = await runUntil(runId, ended);
    expect(run).toMatchObject({ state: 'completed', reason: null });
    expect(run.counts).toMatchObject({ read: entitiesOfWide, created: entitiesOfWide, unchanged: 0, deleted: 0 });
    expect(run.attempts.map(({ number, state }) => [number, state])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'completed'],
    ]);
    expect(run.attempts[0]?.reason).toContain(role);
    expect(new Set(run.attempts.map((attempt) => attempt.workflow_id)).size).toBe(3);
    await expectNothingRepeated(tenant, run);
    expect((await act(`/v1/ingestions/${runId}/retry`)).status).toBe(409);

    const rerun = await act(`/v1/ingestions/${runId}/rerun`);
    expect(rerun).toMatchObject({ status: 202, body: { rerun_of: runId } });
    const second = await runUntil(String(rerun.body['run_id']), ended);
    expect(second).toMatchObject({ state: 'completed', counts: { unchanged: entitiesOfWide, created: 0 } });
  });

  it('goes on where it was when its database was killed, and is back', async () => {
    const { tenant, start, act, runUntil, look } = await operator();
    const { client, url } = await server.database();
    await createWideDatabase(client, wide);
    const runId = await start({ source: { type: 'postgres', url, page_size: 100 } });
    await runUntil(runId, (run) => run.pages >= 3);
    await server.outage(async () => {
      const before = await look(runId);
      expect(before.state).toBe('running');
      expect((await act(`/v1/ingestions/${runId}/cancel`)).status).toBe(200);
      expect((await runUntil(runId, ended)).state).toBe('cancelled');
    });
    expect((await act(`/v1/ingestions/${runId}/retry`)).status).toBe(202);
    const run = await runUntil(runId, ended);
    expect(run.reason).toBeNull();
    expect(run).toMatchObject({ state: 'completed', counts: { read: entitiesOfWide, created: entitiesOfWide } });
    await expectNothingRepeated(tenant, run);
  });

  it("is another tenant's secret", async () => {
    const [owner, stranger] = [await operator(), await operator()];
    const { url } = await server.database();
    const run = await owner.runUntil(await owner.start({ source: { type: 'postgres', url } }), ended);
    for (const action of ['retry', 'rerun']) {
      expect((await stranger.act(`/v1/ingestions/${run.run_id}/${action}`)).status).toBe(404);
    }
  });
});
