import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { apiOf, freshTenant, ingest, tokenOf, waiting, type Api } from './client.ts';

const tenant = freshTenant();
let api: Api;
let mongo: Mongo;

beforeAll(async () => {
  api = apiOf(await tokenOf(tenant));
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

/** What an API leaves behind that is killed after Kafka has the write and before its answer is kept. */
async function loseAnswer(key: string): Promise<void> {
  const lost = await mongo.db
    .collection('idempotency_keys')
    .updateOne(
      { '_id.tenant': tenant, '_id.key': key },
      { $unset: { answer: '' }, $set: { running_until: new Date(0) } },
    );
  expect(lost.modifiedCount).toBe(1);
}

describe('a write whose answer was lost, sent again with its Idempotency-Key', () => {
  it('hears that a conditional replacement was applied, and applies nothing twice', async () => {
    const id = await ingest(api, 'replaced');
    const json = { attributes: { name: 'replaced', n: 2 } };
    const plan = { json, headers: { ...waiting, 'If-Match': '"1"', 'Idempotency-Key': 'put' } };
    const first = await api('PUT', `/metadata/${id}`, plan);
    await loseAnswer('put');
    const again = await api('PUT', `/metadata/${id}`, plan);
    expect(again).toMatchObject({ status: 200, body: { version: 2, outcome: 'updated', metadata_id: id } });
    expect(again.headers.get('lily-record-id')).toBe(first.headers.get('lily-record-id'));
    // Without waiting, the answer is the one of a write that is on its way.
    const unhurried = { json, headers: { 'If-Match': '"1"', 'Idempotency-Key': 'put' } };
    await loseAnswer('put');
    expect(await api('PUT', `/metadata/${id}`, unhurried)).toMatchObject({ status: 202, body: { metadata_id: id } });
    expect((await api('GET', `/v1/metadata/${id}/versions`)).body.items).toHaveLength(2);
  });

  it('hears that a deletion was applied', async () => {
    const id = await ingest(api, 'deleted');
    const plan = { headers: { ...waiting, 'Idempotency-Key': 'delete' } };
    expect((await api('DELETE', `/metadata/${id}`, plan)).status).toBe(200);
    await loseAnswer('delete');
    const again = await api('DELETE', `/metadata/${id}`, plan);
    expect(again).toMatchObject({ status: 200, body: { version: 2, outcome: 'deleted' } });
  });

  it('hears that it was refused, if it was', async () => {
    const id = await ingest(api, 'refused');
    await ingest(api, 'refused', { attributes: { name: 'refused', n: 2 } });
    const headers = { ...waiting, 'If-Match': '"1"', 'Idempotency-Key': 'stale' };
    const plan = { json: { attributes: { name: 'refused', n: 3 } }, headers };
    expect((await api('PUT', `/metadata/${id}`, plan)).status).toBe(412);
    expect((await api('PUT', `/metadata/${id}`, plan)).status).toBe(412);
    expect((await api('DELETE', '/metadata/00000000-0000-8000-8000-000000000000', { headers })).status).toBe(422);
  });
});
