import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '#deploy/local/paths.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { apiOf, freshTenant, ingest, stack, tokenOf, type Api } from '#test/e2e/api/client.ts';
import { dbtProject, type DbtProject } from '#test/support/dbt-project.ts';

const minutes = 60_000;

let project: DbtProject;
let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  project = await dbtProject();
  // A test of the project fails, and its source is stale: neither ends well.
  await dbt(['build'], 1);
  await keepResults();
  await dbt(['source', 'freshness'], 1);
  await dbt(['docs', 'generate'], 0);
}, 5 * minutes);

afterAll(async () => {
  await project.remove();
  await mongo.client.close();
});

async function dbt(args: string[], code: number): Promise<void> {
  const done = await project.run('dbt', args);
  if (done.code !== code)
    throw new Error(`dbt ${args.join(' ')} ended with ${done.code}: ${done.stdout}${done.stderr}`);
}

/** `dbt docs generate` overwrites the results of the build. */
let results = '';
async function keepResults(): Promise<void> {
  results = await project.artifact('run_results');
}

interface Run {
  run_id: string;
  state: string;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
}

async function operator(): Promise<{ tenant: string; api: Api }> {
  const tenant = freshTenant();
  return { tenant, api: apiOf(await tokenOf(tenant, ['operator', 'editor'])) };
}

async function upload(api: Api, content: string): Promise<string> {
  const headers = { 'Content-Type': 'application/octet-stream' };
  const answer = await api('POST', '/v1/uploads', { raw: content, headers });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body['object_id'] as string;
}

async function start(api: Api, source: object): Promise<string> {
  const answer = await api('POST', '/v1/ingestions', { json: { source: { type: 'dbt', name: 'shop', ...source } } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body['run_id'] as string;
}

async function until(api: Api, runId: string, condition: (run: Run) => boolean): Promise<Run> {
  for (const deadline = Date.now() + 2 * minutes; ; await sleep(100)) {
    const run = (await api('GET', `/v1/ingestions/${runId}`)).body as unknown as Run;
    if (condition(run)) return run;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(run)}`);
  }
}

const ended = (run: Run): boolean => !['running', 'paused'].includes(run.state);

async function run(api: Api, source: object): Promise<Run> {
  return until(api, await start(api, source), ended);
}

/** Every artifact as it is now, uploaded. */
async function uploaded(api: Api, artifacts = ['manifest', 'catalog', 'sources']): Promise<Record<string, string>> {
  const ids: Record<string, string> = { run_results: await upload(api, results) };
  for (const name of artifacts) ids[name] = await upload(api, await project.artifact(name));
  return ids;
}

interface Found {
  metadata_id: string;
  attributes: Record<string, unknown>;
  statistics?: Record<string, unknown>;
}

async function entity(tenant: string, type: string, qualifiedName: string): Promise<Found | undefined> {
  const filter = { tenant_id: tenant, entity_type: type, qualified_name: qualifiedName, deleted: false };
  const found = await mongo.db.collection('entities').findOne(filter);
  return found === null
    ? undefined
    : ({ ...found, metadata_id: String(found['entity_id'] ?? found['_id']) } as unknown as Found);
}

interface Incident {
  key: string;
  state: string;
  kind: string;
  severity: string;
  reports: number;
  entities: { qualified_name: string }[];
  affected: { qualified_name: string }[];
}

/** The tenant's incidents by their keys, once they are as they should be. */
async function incidentsOf(
  api: Api,
  condition: (incidents: Map<string, Incident>) => boolean = () => true,
): Promise<Map<string, Incident>> {
  for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
    const items = (await api('GET', '/v1/incidents?limit=100')).body.items as unknown as Incident[];
    const incidents = new Map(items.map((incident) => [incident.key, incident]));
    if (condition(incidents)) return incidents;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(items)}`);
  }
}

const stale = 'shop.source.shop.raw.payments';
const failing = 'shop.test.shop.known_status.ad9bebe266';

describe('artifacts that a genuine dbt has made', () => {
  it(
    'become entities with lineage and incidents; mended data ends the incident, and what is gone from the project is deleted',
    async () => {
      const { tenant, api } = await operator();
      const table = { entity_type: 'table', qualified_name: 'pg-main.raw.payments' };
      const tableId = await ingest(api, 'payments', table);

      const first = await run(api, { ...(await uploaded(api)), warehouse: 'pg-main' });
      expect(first).toMatchObject({ state: 'completed', reason: null, counts: { rejected: 0, deleted: 0 } });
      expect(first.counts['created']).toBe(first.counts['read']);
      const model = await entity(tenant, 'dbt_model', 'shop.model.shop.stg_orders');
      expect(model).toMatchObject({
        attributes: { description: 'Orders, cleaned', materialized: 'view', tags: ['staging'] },
        statistics: { last_run: { status: 'success' } },
      });
      expect(await entity(tenant, 'column', 'shop.model.shop.stg_orders.order_id')).toMatchObject({
        attributes: { data_type: 'INTEGER', description: 'Number of the order' },
      });

      // From the crawled table through dbt to the report that people read.
      const lineage = await api('GET', `/v1/metadata/${tableId}/lineage?direction=downstream&depth=10`);
      const downstream = (lineage.body['nodes'] as { qualified_name: string }[]).map((node) => node.qualified_name);
      expect(downstream).toEqual(
        expect.arrayContaining([
          'shop.source.shop.raw.payments',
          'shop.model.shop.stg_payments',
          'shop.model.shop.paid',
          'shop.model.shop.orders',
          'shop.exposure.shop.weekly_report',
          'shop.metric.shop.revenue',
        ]),
      );
      expect(downstream).not.toContain('shop.model.shop.stg_customers');

      // The failing test and the stale source, and nothing of what passed; who is concerned is found in the lineage.
      const opened = await incidentsOf(api, (all) => (all.get(failing)?.affected.length ?? 0) > 0 && all.size > 1);
      expect([...opened.keys()].sort()).toEqual([stale, failing]);
      expect(opened.get(failing)).toMatchObject({
        state: 'open',
        kind: 'failing-test',
        severity: 'high',
        entities: [{ qualified_name: 'shop.model.shop.stg_orders' }],
      });
      expect(opened.get(failing)?.affected.map((one) => one.qualified_name)).toContain(
        'shop.exposure.shop.weekly_report',
      );
      expect(opened.get(stale)).toMatchObject({ state: 'open', kind: 'freshness' });

      await project.edit('seeds/raw_orders.csv', 'lost', 'shipped');
      await project.edit('models/marts/marts.yml', '- name: weekly_report', '- name: monthly_report');
      await dbt(['build'], 0);
      await keepResults();
      const { sources: _, ...rest } = await uploaded(api, ['manifest', 'catalog']);
      const second = await run(api, { ...rest, warehouse: 'pg-main' });
      expect(second).toMatchObject({ state: 'completed', reason: null, counts: { created: 1, rejected: 0 } });
      expect(await entity(tenant, 'dbt_exposure', 'shop.exposure.shop.monthly_report')).toBeDefined();
      expect(await entity(tenant, 'dbt_exposure', 'shop.exposure.shop.weekly_report')).toBeUndefined();
      const after = await incidentsOf(api, (all) => all.get(failing)?.state === 'resolved');
      expect(after.size).toBe(2);
      expect(after.get(stale)?.state).toBe('open');
      expect(await entity(tenant, 'dbt_model', 'shop.model.shop.orders')).toMatchObject({
        statistics: { last_run: { status: 'success' } },
      });
    },
    4 * minutes,
  );

  it('change nothing when they come again', async () => {
    const { api } = await operator();
    const manifest = await readFile(join(CHECKOUT, 'test/fixtures/dbt-artifacts/dbt-1.7/manifest.json'), 'utf8');
    const source = { manifest: await upload(api, manifest), run_results: await upload(api, await oldResults()) };
    const first = await run(api, source);
    expect(first).toMatchObject({ state: 'completed', counts: { unchanged: 0 } });
    const second = await run(api, source);
    expect(second).toMatchObject({ state: 'completed', counts: { created: 0, updated: 0, deleted: 0 } });
    expect(second.counts['unchanged']).toBe(first.counts['created']);
    const incidents = await incidentsOf(api, (all) => all.has(failing));
    expect([...incidents.values()]).toMatchObject([{ key: failing, reports: 1, state: 'open' }]);
  });
});

const oldResults = (): Promise<string> =>
  readFile(join(CHECKOUT, 'test/fixtures/dbt-artifacts/dbt-1.7/run_results.json'), 'utf8');

/** A manifest like dbt's own, with a chain of so many models of ten columns each. */
function longManifest(manifest: string, models: number): string {
  const document = JSON.parse(manifest) as {
    nodes: Record<string, Record<string, unknown>>;
    [section: string]: unknown;
  };
  const like = document.nodes['model.shop.stg_customers'] ?? {};
  const columns = Object.fromEntries(
    Array.from({ length: 10 }, (_, at) => [`c${at}`, { name: `c${at}`, description: `${at}` }]),
  );
  const id = (at: number): string => `model.shop.long_${at}`;
  const chain = Array.from({ length: models }, (_, at) => {
    const nodes = at === 0 ? [] : [id(at - 1)];
    return [
      id(at),
      { ...like, unique_id: id(at), name: `long_${at}`, alias: `long_${at}`, columns, depends_on: { nodes } },
    ];
  });
  const empty = { sources: {}, exposures: {}, metrics: {}, semantic_models: {}, unit_tests: {}, groups: {} };
  return JSON.stringify({ ...document, ...empty, nodes: Object.fromEntries(chain) as object });
}

describe('a run over a large manifest', () => {
  it(
    'goes on at its page when its worker is killed, and reads each page once',
    async () => {
      const { api } = await operator();
      const models = 400;
      const manifest = await upload(api, longManifest(await project.artifact('manifest'), models));
      const runId = await start(api, { manifest, page_size: 100 });
      await until(api, runId, ({ pages }) => pages >= 6);
      await stack.kill('worker');
      await stack.start('worker');
      const done = await until(api, runId, ended);
      const expected = 1 + models * 11;
      expect(done).toMatchObject({ state: 'completed', counts: { read: expected, created: expected, unchanged: 0 } });
      const landed = await mongo.db
        .collection('raw_records')
        .countDocuments({ _id: new RegExp(`^${runId}:`) as never });
      expect(landed).toBe(expected);
    },
    4 * minutes,
  );
});

describe('artifacts that are not right', () => {
  it('end the run with the reason, and nothing of them is applied', async () => {
    const { tenant, api } = await operator();
    const genuine = await project.artifact('manifest');
    const manifests: [string, string][] = [
      ['{"metadata": ', 'manifest.json ends in the middle, after 13 bytes.'],
      [genuine.slice(0, genuine.length / 2), 'manifest.json ends in the middle'],
      [
        genuine.replace('manifest/v12.json', 'manifest/v9.json'),
        'manifest.json has version 9, and versions 10 to 12 can be read.',
      ],
      [genuine.replaceAll('"model.shop.paid"]', '"model.shop.paid", "model.shop.customers"]'), 'depend on themselves'],
    ];
    for (const [content, reason] of manifests) {
      const broken = await run(api, { manifest: await upload(api, content) });
      expect(broken).toMatchObject({ state: 'failed', reason: expect.stringContaining(reason), counts: { read: 0 } });
    }
    const unknown = await run(api, { manifest: 'f'.repeat(24) });
    expect(unknown).toMatchObject({ state: 'failed', reason: expect.stringContaining('upload it first') });
    expect(await mongo.db.collection('entities').countDocuments({ tenant_id: tenant })).toBe(0);
  });

  it('of which a part is missing are applied, and delete nothing', async () => {
    const { tenant, api } = await operator();
    const genuine = await project.artifact('manifest');
    expect(await run(api, { manifest: await upload(api, genuine) })).toMatchObject({ state: 'completed' });
    const document = JSON.parse(genuine) as { nodes: Record<string, unknown> };
    delete document.nodes['model.shop.paid'];
    const second = await run(api, { manifest: await upload(api, JSON.stringify(document)) });
    expect(second).toMatchObject({ state: 'degraded', reason: expect.stringContaining('depends on model.shop.paid') });
    expect(await entity(tenant, 'dbt_model', 'shop.model.shop.paid')).toBeDefined();
  });

  it("are not found when they are another tenant's", async () => {
    const { api: theirs } = await operator();
    const { api } = await operator();
    const manifest = await upload(theirs, await project.artifact('manifest'));
    expect(await run(api, { manifest })).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('not kept'),
    });
  });

  it('and options that are not, are refused at once', async () => {
    const { api } = await operator();
    for (const source of [{}, { manifest: 'x' }, { manifest: 'f'.repeat(24), name: '.' }]) {
      const answer = await api('POST', '/v1/ingestions', {
        json: { source: { type: 'dbt', name: 'shop', ...source } },
      });
      expect(answer.status, JSON.stringify(source)).toBe(400);
    }
  });
});
