import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provisionPythonTools } from '#deploy/local/provision/python-tools.ts';
import { taskProgress } from '#deploy/local/progress.ts';
import { limits } from '#domain/limits.ts';
import { lineageQualifiedName } from '#domain/openlineage/names.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId } from '#platform/digest.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { apiOf, freshTenant, stack, tokenOf, type Api } from '#test/e2e/api/client.ts';
import { readChangeLog, verifyConsistency } from '#test/support/consistency.ts';
import { flakyProxy } from './flaky-proxy.ts';

const config = loadConfig(process.env);
const db = 'postgres://db:5432';
const minutes = 60_000;
let mongo: Mongo;
let python: string;

beforeAll(async () => {
  mongo = await connectMongo(config.mongo);
  python = join(await provisionPythonTools(taskProgress('python tools', () => undefined)), 'python');
}, 5 * minutes);
afterAll(() => mongo.client.close());

interface Tenant {
  id: string;
  api: Api;
  key: string;
}

async function newTenant(): Promise<Tenant> {
  const id = freshTenant();
  const api = apiOf(await tokenOf(id, ['admin']));
  const { status, body } = await api('POST', '/v1/api-keys', { json: { name: 'airflow', roles: ['editor'] } });
  expect(status, JSON.stringify(body)).toBe(201);
  return { id, api, key: body['key'] as string };
}

/** Runs the genuine client, and says what it has sent. */
async function emit(plan: Record<string, unknown>): Promise<{ sent: number }> {
  const child = spawn(python, [join(import.meta.dirname, 'emit.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.end(JSON.stringify({ url: stack.addresses.api, ...plan }));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(errors.slice(-2_000));
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as { sent: number };
}

async function eventually(check: () => Promise<void>, timeoutMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(100)) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** How many of the tenant's events have been applied, and whether any batch is still open. */
async function progressOf(tenantId: string): Promise<{ read: number; open: number }> {
  const batches = await mongo.db
    .collection<{ closed_at?: Date; counts?: { read: number } }>('batches')
    .find({ tenant_id: tenantId })
    .toArray();
  return {
    read: batches.reduce((sum, { counts }) => sum + (counts?.read ?? 0), 0),
    open: batches.filter((batch) => batch.closed_at === undefined).length,
  };
}

async function settled(tenantId: string, events: number, timeoutMs = 30_000): Promise<void> {
  await eventually(async () => expect(await progressOf(tenantId)).toEqual({ read: events, open: 0 }), timeoutMs);
}

const entityOf = async ({ id, api }: Tenant, type: string, qualifiedName: string) =>
  (await api('GET', `/metadata/${metadataId(id, type, qualifiedName)}`)).body;
const datasetOf = (tenant: Tenant, name: string) =>
  entityOf(tenant, 'dataset', lineageQualifiedName({ namespace: db, name }));
const columnOf = (tenant: Tenant, name: string, field: string) =>
  entityOf(tenant, 'column', `${lineageQualifiedName({ namespace: db, name })}|${field}`);

function event(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    eventType: 'COMPLETE',
    eventTime: '2026-01-31T08:30:00.000Z',
    run: { runId: randomUUID() },
    job: { namespace: 'airflow', name: 'plain' },
    inputs: [{ namespace: db, name: 'in' }],
    outputs: [{ namespace: db, name: 'out' }],
    producer: 'test',
    schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
    ...change,
  };
}

describe('the genuine OpenLineage client', () => {
  it.each([
    { transport: 'http', gzip: true },
    { transport: 'async', gzip: true },
    { transport: 'http', gzip: false },
  ])('tells its story over $transport, packed: $gzip', async (way) => {
    const tenant = await newTenant();
    const [run, failedRun, parentRun] = [randomUUID(), randomUUID(), randomUUID()];
    await emit({ ...way, key: tenant.key, events: 'story', run, failedRun, parentRun });
    await settled(tenant.id, 3);

    expect(await datasetOf(tenant, 'shop.marts.revenue')).toMatchObject({
      attributes: {
        name: 'shop.marts.revenue',
        namespace: db,
        description: 'Revenue of each day',
        owners: [{ name: 'team:finance', type: 'OWNER' }],
        fields: [{ name: 'day' }, { name: 'total', type: 'bigint' }],
        facets: { storage: { storageLayer: 'delta' } },
      },
    });
    const orders = await datasetOf(tenant, 'shop.public.orders');
    expect(orders['statistics']).toMatchObject({
      dataQualityMetrics: { rowCount: 7 },
      dataQualityAssertions: { assertions: [{ assertion: 'not_null', success: false, column: 'note' }] },
    });
    const total = await columnOf(tenant, 'shop.marts.revenue', 'total');
    const amount = await columnOf(tenant, 'shop.public.orders', 'amount');
    expect(total).toMatchObject({
      attributes: { name: 'total', data_type: 'bigint', description: 'the total' },
      parent: { qualified_name: `${db}|shop.marts.revenue` },
      upstream: [{ metadata_id: amount['metadata_id'] }],
    });
    expect((await columnOf(tenant, 'shop.public.orders', 'id'))['statistics']).toMatchObject({
      dataQualityMetrics: { nullCount: 0 },
    });
    const job = await entityOf(tenant, 'job', 'airflow|shop.revenue');
    expect(job).toMatchObject({
      attributes: { facets: { sql: { query: 'select 1' } } },
      parent: { qualified_name: 'airflow|shop' },
      upstream: [{ metadata_id: orders['metadata_id'] }],
      downstream: [{ metadata_id: metadataId(tenant.id, 'dataset', `${db}|shop.marts.revenue`) }],
    });

    const { body } = await tenant.api('GET', '/v1/lineage-runs?namespace=airflow&job=shop.revenue');
    expect(body.items).toHaveLength(2);
    expect(body.items?.find((one) => one['run_id'] === run)).toMatchObject({
      state: 'COMPLETED',
      duration_ms: 90_000,
      parent: { run_id: parentRun, job: { namespace: 'airflow', name: 'shop' } },
      inputs: [{ namespace: db, name: 'shop.public.orders' }],
      outputs: [{ namespace: db, name: 'shop.marts.revenue' }],
    });
    expect(body.items?.find((one) => one['run_id'] === failedRun)).toMatchObject({
      state: 'FAILED',
      error: { message: 'no such table', programming_language: 'PYTHON', stack_trace: 'at line 1' },
    });

    const graph = await tenant.api('GET', `/api/v1/lineage?nodeId=dataset:${db}:shop.public.orders&depth=1`);
    const nodes = graph.body['graph'] as { id: string; inEdges: unknown[]; outEdges: unknown[] }[];
    expect(nodes.map(({ id }) => id)).toEqual([
      `dataset:${db}:shop.marts.revenue`,
      `dataset:${db}:shop.public.orders`,
      'job:airflow:shop.revenue',
    ]);
    const edge = { origin: 'job:airflow:shop.revenue', destination: `dataset:${db}:shop.marts.revenue` };
    expect(nodes[0]?.inEdges).toEqual([edge]);
    expect(nodes[2]?.outEdges).toEqual([edge]);
    expect(nodes[2]).toMatchObject({ type: 'JOB', data: { simpleName: 'revenue', latestRun: { state: 'FAILED' } } });
  });

  it(
    'sends 10,000 events over a bad network while the worker is killed: each is applied once',
    async () => {
      const tenant = await newTenant();
      const proxy = await flakyProxy(stack.addresses.api, 20);
      const plan = { transport: 'async', gzip: true, key: tenant.key, events: 'burst', jobs: 200, rounds: 25 };
      const sending = emit({ ...plan, url: proxy.url, closeSeconds: 240 });
      await eventually(async () => expect((await progressOf(tenant.id)).read).toBeGreaterThan(1_000), 2 * minutes);
      await stack.kill('worker', 'SIGKILL');
      await stack.start('worker');
      const { sent } = await sending;
      await proxy.close();
      expect(sent).toBe(11_000);
      expect(proxy.counts.refuse + proxy.counts['lose-answer']).toBeGreaterThan(500);
      await settled(tenant.id, 10_000, 3 * minutes);

      const count = (collection: string, filter: object = {}) =>
        mongo.db.collection(collection).countDocuments({ tenant_id: tenant.id, ...filter });
      expect(await count('raw_records')).toBe(10_000);
      expect(await count('dead_letters')).toBe(0);
      expect(await count('lineage_runs')).toBe(5_000);
      expect(await count('lineage_runs', { state: 'COMPLETED' })).toBe(5_000);
      // However often it was said: one version for each dataset and column, and for a job its start and its end.
      expect(await count('entities', { entity_type: 'dataset', version: 1 })).toBe(220);
      expect(await count('entities', { entity_type: 'column', version: 1 })).toBe(440);
      expect(await count('entities', { entity_type: 'job', version: { $lte: 2 } })).toBe(200);
      expect(await count('entity_versions')).toBeLessThanOrEqual(220 + 440 + 2 * 200);
      const driver = connectNeo4j(config.neo4j);
      try {
        const changes = await readChangeLog(createKafka(config.kafka, 'lily-test'));
        const { discrepancies } = await verifyConsistency({ db: mongo.db, driver, tenantIds: [tenant.id], changes });
        expect(discrepancies).toEqual([]);
      } finally {
        await driver.close();
      }
    },
    8 * minutes,
  );
});

describe('POST /api/v1/lineage', () => {
  it('answers 201 without a body, and takes the same text once', async () => {
    const tenant = await newTenant();
    const send = apiOf(tenant.key);
    const raw = JSON.stringify(event());
    for (let time = 0; time < 3; time++) {
      const answer = await send('POST', '/api/v1/lineage', { raw });
      expect([answer.status, answer.body]).toEqual([201, { text: '' }]);
    }
    await send('POST', '/api/v1/lineage', { json: event() });
    await settled(tenant.id, 2);
  });

  it('says what is wrong, with the status that clients go by', async () => {
    const { key } = await newTenant();
    const send = apiOf(key);
    const post = (plan: Parameters<Api>[2]) => send('POST', '/api/v1/lineage', plan);
    expect((await apiOf()('POST', '/api/v1/lineage', { json: event() })).status).toBe(401);
    expect((await apiOf('lily_nobody')('POST', '/api/v1/lineage', { json: event() })).status).toBe(401);
    expect((await post({ raw: '{' })).status).toBe(400);
    expect(await post({ json: event({ eventTime: 'yesterday' }) })).toMatchObject({
      status: 400,
      body: { code: 'invalid-input', errors: [{ field: '/eventTime' }] },
    });
    expect((await post({ json: event({ run: { runId: '7' } }) })).body['errors']).toMatchObject([
      { field: '/run/runId' },
    ]);
    expect((await post({ json: event({ eventType: 'DONE' }) })).status).toBe(400);
    expect((await post({ json: event({ inputs: [{ name: 'x' }] }) })).body['errors']).toMatchObject([
      { field: '/inputs/0/namespace' },
    ]);
    expect((await post({ raw: 'x', headers: { 'Content-Encoding': 'zip' } })).status).toBe(415);
    expect((await post({ raw: 'x', headers: { 'Content-Encoding': 'gzip' } })).status).toBe(400);
    expect((await post({ raw: '{}', headers: { 'Content-Type': 'text/plain' } })).status).toBe(415);
    expect(
      (
        await post({
          json: event({ run: { runId: randomUUID(), facets: { x: { y: 'z'.repeat(limits.lineageEventBytes) } } } }),
        })
      ).status,
    ).toBe(413);
  });

  it('unpacks no more than it takes', async () => {
    const { key } = await newTenant();
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, 0x20), { level: 9 });
    const startedAt = performance.now();
    const answer = await apiOf(key)('POST', '/api/v1/lineage', { raw: bomb, headers: { 'Content-Encoding': 'gzip' } });
    expect(answer.status).toBe(413);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('takes job and dataset events, and follows a schema that changes', async () => {
    const tenant = await newTenant();
    const send = apiOf(tenant.key);
    const dataset = (fields: string[], facets: Record<string, unknown> = {}) => ({
      eventTime: new Date().toISOString(),
      dataset: {
        namespace: db,
        name: 'd',
        facets: { schema: { fields: fields.map((name) => ({ name })) }, ...facets },
      },
      schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent',
    });
    await send('POST', '/api/v1/lineage', { json: dataset(['a', 'b'], { mine: { of: 1 } }) });
    await settled(tenant.id, 1);
    await send('POST', '/api/v1/lineage', { json: dataset(['b', 'c']) });
    await send('POST', '/api/v1/lineage', {
      json: {
        eventTime: new Date().toISOString(),
        job: { namespace: 'airflow', name: 'static' },
        outputs: [{ namespace: db, name: 'd' }],
        schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent',
      },
    });
    await settled(tenant.id, 3);
    expect((await columnOf(tenant, 'd', 'a'))['status']).toBe(404);
    expect(await columnOf(tenant, 'd', 'b')).toMatchObject({ version: 2, attributes: { ordinal_position: 1 } });
    expect(await columnOf(tenant, 'd', 'c')).toMatchObject({ version: 1 });
    expect((await datasetOf(tenant, 'd'))['attributes']).toMatchObject({
      facets: { mine: { of: 1 } },
      fields: [{ name: 'b' }, { name: 'c' }],
    });
    expect(await entityOf(tenant, 'job', 'airflow|static')).toMatchObject({ upstream: [], downstream: [{}] });
  });

  it('makes nothing anew of what it knows, but brings back what was deleted', async () => {
    const tenant = await newTenant();
    const send = apiOf(tenant.key);
    const next = () => event({ run: { runId: randomUUID() }, eventTime: new Date().toISOString() });
    await send('POST', '/api/v1/lineage', { json: next() });
    await settled(tenant.id, 1);
    const versions = () => mongo.db.collection('entity_versions').countDocuments({ tenant_id: tenant.id });
    const before = await versions();
    for (let time = 0; time < 5; time++) await send('POST', '/api/v1/lineage', { json: next() });
    await settled(tenant.id, 6);
    expect(await versions()).toBe(before);
    const id = metadataId(tenant.id, 'dataset', `${db}|out`);
    await tenant.api('DELETE', `/metadata/${id}`, { headers: { Prefer: 'wait=30' } });
    expect((await tenant.api('GET', `/metadata/${id}`)).status).toBe(404);
    await send('POST', '/api/v1/lineage', { json: next() });
    await eventually(async () => expect((await tenant.api('GET', `/metadata/${id}`)).status).toBe(200));
  });
});

describe('POST /api/v1/lineage/batch', () => {
  it('takes an array or {events}, and names each event that it does not take', async () => {
    const tenant = await newTenant();
    const send = apiOf(tenant.key);
    const good = [event(), event()];
    expect(await send('POST', '/api/v1/lineage/batch', { json: good })).toMatchObject({
      status: 200,
      body: { status: 'success', summary: { received: 2, successful: 2, failed: 0 }, failed_events: [] },
    });
    expect(await send('POST', '/api/v1/lineage/batch', { json: { events: [event(), { run: 1 }] } })).toMatchObject({
      status: 200,
      body: { status: 'partial_success', failed_events: [{ index: 1, retriable: false }] },
    });
    expect(await send('POST', '/api/v1/lineage/batch', { json: [{}] })).toMatchObject({
      status: 400,
      body: { failed_events: [{ index: 0 }] },
    });
    for (const json of [[], {}, 1]) expect((await send('POST', '/api/v1/lineage/batch', { json })).status).toBe(400);
    await send('POST', '/api/v1/lineage/batch', { json: good });
    await settled(tenant.id, 3);
  });
});

describe('reads in the form of Marquez', () => {
  it('lists namespaces, jobs, datasets and runs, and shows nothing to another tenant', async () => {
    const tenant = await newTenant();
    const runId = randomUUID();
    await apiOf(tenant.key)('POST', '/api/v1/lineage', { json: event({ run: { runId } }) });
    await settled(tenant.id, 1);
    const { api } = tenant;
    const space = encodeURIComponent(db);
    expect((await api('GET', '/api/v1/namespaces')).body['namespaces']).toMatchObject([
      { name: 'airflow' },
      { name: db },
    ]);
    expect((await api('GET', `/api/v1/namespaces/${space}/datasets?limit=1`)).body).toMatchObject({
      datasets: [{ name: 'in' }],
      totalCount: 2,
    });
    expect((await api('GET', `/api/v1/namespaces/${space}/datasets/out`)).body).toMatchObject({ physicalName: 'out' });
    expect((await api('GET', '/api/v1/namespaces/airflow/jobs/plain')).body).toMatchObject({
      inputs: [{ name: 'in' }],
      outputs: [{ name: 'out' }],
      latestRun: { id: runId, state: 'COMPLETED' },
    });
    expect((await api('GET', '/api/v1/namespaces/airflow/jobs/plain/runs')).body['runs']).toMatchObject([
      { id: runId },
    ]);
    expect((await api('GET', `/api/v1/jobs/runs/${runId}`)).body).toMatchObject({ state: 'COMPLETED' });

    const other = await newTenant();
    for (const path of [
      '/api/v1/lineage?nodeId=job:airflow:plain',
      `/api/v1/jobs/runs/${runId}`,
      `/v1/lineage-runs/${runId}`,
      '/api/v1/namespaces/airflow/jobs/plain',
    ]) {
      expect((await api('GET', path)).status, path).toBe(200);
      expect((await other.api('GET', path)).status, path).toBe(404);
    }
    expect((await other.api('GET', '/api/v1/namespaces')).body['namespaces']).toEqual([]);
    expect((await api('GET', '/api/v1/lineage?nodeId=nothing')).status).toBe(400);
  });
});

describe('API keys', () => {
  it('are shown once, do what their roles say, and end soon after they are revoked', async () => {
    const tenant = await newTenant();
    const { body } = await tenant.api('POST', '/v1/api-keys', { json: { name: 'viewer', roles: ['reader'] } });
    const viewer = apiOf(body['key'] as string);
    expect((await viewer('GET', '/v1/metadata')).status).toBe(200);
    expect((await viewer('POST', '/api/v1/lineage', { json: event() })).status).toBe(403);
    expect((await viewer('GET', '/v1/api-keys')).status).toBe(403);
    const list = await tenant.api('GET', '/v1/api-keys');
    expect(list.body.items?.map((one) => one['name'])).toEqual(['viewer', 'airflow']);
    expect(JSON.stringify(list.body)).not.toContain(String(body['key']));
    expect(
      JSON.stringify(await mongo.db.collection('api_keys').find({ tenant_id: tenant.id }).toArray()),
    ).not.toContain(String(body['key']));
    const path = `/v1/api-keys/${String(body['key_id'])}`;
    expect((await (await newTenant()).api('DELETE', path)).status).toBe(404);
    expect((await tenant.api('DELETE', path)).status).toBe(204);
    await eventually(async () => expect((await viewer('GET', '/v1/metadata')).status).toBe(401), 5_000);
    expect((await tenant.api('GET', path)).body).toMatchObject({ state: 'revoked', revoked_by: 'ada' });
    const past = { name: 'x', roles: ['reader'], expires_at: '2020-01-01T00:00:00Z' };
    expect((await tenant.api('POST', '/v1/api-keys', { json: past })).status).toBe(400);
  });
});
