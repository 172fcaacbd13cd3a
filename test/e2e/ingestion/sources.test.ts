import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npmBinaries } from '#deploy/local/warehouse/binaries.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { startServer, type TestServer } from '#test/integration/ingestion/postgres-servers.ts';
import { ended, operator } from './operator.ts';

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

describe('a saved source', () => {
  it('is kept sealed, shown without credentials, tried, read, renamed and deleted', async () => {
    const { tenant, api, save, act, start, runUntil, history } = await operator();
    const database = await server.database();
    await database.client.query('CREATE TABLE orders (id int)');
    const password = `hunter-${randomUUID()}`;
    await database.client.query(`CREATE ROLE r_${database.name} LOGIN PASSWORD '${password}'`);
    const id = await save(database.urlFor(`r_${database.name}`, password));

    const shown = await api('GET', `/v1/sources/${id}`);
    expect(shown.body).toMatchObject({ source_id: id, name: 'warehouse', source: { database: database.name } });
    const tried = await act(`/v1/sources/${id}/test`);
    expect(tried).toMatchObject({ status: 200, body: { ok: true, reason: null } });
    expect(tried.body['latency_ms']).toBeGreaterThan(0);

    const run = await runUntil(await start({ source_id: id }), ended);
    expect(run).toMatchObject({ state: 'completed', saved_source_id: id, trigger: 'request' });
    expect((await history(`source=${id}`)).map((one) => one.run_id)).toEqual([run.run_id]);
    expect(await history(`source=${randomUUID()}`)).toEqual([]);
    expect(await history(`started_before=${run.started_at}`)).toEqual([]);
    expect(await history(`started_from=${run.started_at}&state=completed`)).toHaveLength(1);

    const stored = await mongo.db.collection('sources').find({ tenant_id: tenant }).toArray();
    const everything = JSON.stringify([shown.body, tried.body, run, stored, (await api('GET', '/v1/sources')).body]);
    expect(everything).not.toContain(password);

    // Sealed for this source of this tenant: moved to another, the options do not open.
    const other = await save(database.url, 'other');
    const sealed = { sealed_source: stored[0]?.['sealed_source'] as string };
    await mongo.db.collection('sources').updateOne({ _id: other as never }, { $set: sealed });
    expect((await act('/v1/ingestions', { source_id: other })).status).toBe(500);

    expect((await api('PUT', `/v1/sources/${id}`, { json: { name: 'renamed' } })).body['name']).toBe('renamed');
    expect((await act(`/v1/sources/${id}/test`)).body['ok']).toBe(true);
    expect((await api('DELETE', `/v1/sources/${id}`)).status).toBe(204);
    expect((await api('GET', `/v1/sources/${id}`)).status).toBe(404);
    expect((await act('/v1/ingestions', { source_id: id })).status).toBe(404);
  });

  it('says why it cannot be read, in bounded time', async () => {
    const { save, act } = await operator();
    const database = await server.database();
    const test = async (url: string, name: string) => (await act(`/v1/sources/${await save(url, name)}/test`)).body;
    const wrong = await test(database.urlFor('lily', 'hunter2'), 'wrong password');
    expect(wrong).toMatchObject({ ok: false, reason: expect.stringContaining('does not let') as string });
    expect(JSON.stringify(wrong)).not.toContain('hunter2');
    const nobody = await test('postgres://u:p@127.0.0.1:1/d', 'nobody there');
    expect(nobody).toMatchObject({ ok: false, reason: expect.stringContaining('127.0.0.1:1') as string });
    expect(nobody['latency_ms']).toBeLessThan(10_500);
  });

  it('keeps its password when it is not given again, and only for the same place and account', async () => {
    const { api, save, act } = await operator();
    const [database, elsewhere] = [await server.database(), await server.database()];
    const id = await save(database.url);
    const without = (url: string): string => url.replace(/:[^:@/]+@/, '@');
    const replace = (url: string) =>
      api('PUT', `/v1/sources/${id}`, {
        json: { name: 'warehouse', source: { type: 'postgres', url, page_size: 100 } },
      });
    expect(await replace(without(database.url))).toMatchObject({ status: 200, body: { source: { page_size: 100 } } });
    expect((await act(`/v1/sources/${id}/test`)).body['ok']).toBe(true);
    expect((await replace(without(elsewhere.url))).status).toBe(200);
    expect((await act(`/v1/sources/${id}/test`)).body['ok']).toBe(false);
  });

  it('has a name of its own, belongs to its tenant, and is managed by operators', async () => {
    const [owner, stranger] = [await operator(), await operator()];
    const { url } = await server.database();
    const id = await owner.save(url);
    const twin = await owner.act('/v1/sources', { name: 'warehouse', source: { type: 'postgres', url } });
    expect(twin).toMatchObject({ status: 409, body: { field: '/name' } });
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/test'],
    ] as const) {
      expect((await stranger.api(method, `/v1/sources/${id}${path}`)).status).toBe(404);
    }
    expect((await stranger.api('PUT', `/v1/sources/${id}`, { json: { name: 'mine' } })).status).toBe(404);
    expect((await stranger.act('/v1/ingestions', { source_id: id })).status).toBe(404);
    expect((await stranger.api('GET', '/v1/sources')).body.items).toEqual([]);
    await stranger.save(url);
    for (const [json, field] of [
      [{}, '/source'],
      [{ source_id: 'x' }, '/source_id'],
      [{ source_id: id, source: { type: 'postgres', url } }, '/source'],
    ] as const) {
      expect(await owner.act('/v1/ingestions', json)).toMatchObject({ status: 400, body: { field } });
    }
  });
});
