import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apiOf, freshTenant, stack, tokenOf, type Api } from '#test/e2e/api/client.ts';
import { dbtProject, type DbtProject } from '#test/support/dbt-project.ts';

const minutes = 60_000;

let project: DbtProject;

beforeAll(async () => {
  project = await dbtProject();
  const seeded = await project.run('dbt', ['seed']);
  if (seeded.code !== 0) throw new Error(seeded.stdout);
}, 3 * minutes);
afterAll(() => project.remove());

interface Run {
  run_id: string;
  job: { namespace: string; name: string };
  state: string;
  duration_ms: number | null;
  parent: { run_id: string; job: { name: string } } | null;
  outputs: { namespace: string; name: string }[];
  facets: Record<string, { invocation_id?: string }>;
}

async function runs(api: Api): Promise<Run[]> {
  return (await api('GET', '/v1/lineage-runs?limit=200')).body.items as unknown as Run[];
}

/** The runs, once so many of them have come to an end. */
async function finishedRuns(api: Api, count: number): Promise<Run[]> {
  for (const deadline = Date.now() + minutes; ; await sleep(200)) {
    const all = await runs(api);
    if (all.filter(({ state }) => state === 'COMPLETED').length >= count) return all;
    if (Date.now() > deadline) throw new Error(JSON.stringify(all.map(({ job, state }) => [job.name, state])));
  }
}

/** Sends the lineage of `dbt run`, as a user of dbt-ol would have it sent. */
async function dbtRun(key: string, ...options: string[]): Promise<void> {
  const done = await project.run('dbt-ol', ['run', ...options], {
    OPENLINEAGE_URL: stack.addresses.api,
    OPENLINEAGE_API_KEY: key,
    OPENLINEAGE_NAMESPACE: 'analytics',
  });
  const said = `${done.stdout}${done.stderr}`;
  if (done.code !== 0 || !said.includes('OpenLineage events')) throw new Error(said);
}

it(
  'a genuine dbt-ol with an API key brings jobs, runs, datasets, their columns and the lineage between them',
  async () => {
    const tenant = freshTenant();
    const api = apiOf(await tokenOf(tenant, ['admin', 'editor']));
    const key = await api('POST', '/v1/api-keys', { json: { name: 'dbt', roles: ['editor'] } });
    await dbtRun(key.body['key'] as string);

    // One for each model but the ephemeral one, and one for dbt itself.
    const models = ['customers', 'days', 'orders', 'stg_customers', 'stg_orders', 'stg_payments'];
    const all = await finishedRuns(api, models.length + 1);
    const parent = all.find(({ job }) => job.name.startsWith('dbt-run-'));
    const children = all.filter((run) => run !== parent);
    expect(parent).toMatchObject({ job: { namespace: 'analytics', name: 'dbt-run-shop' }, parent: null });
    expect(children.map(({ outputs }) => outputs[0]?.name.split('.').at(-1)).sort()).toEqual(models);
    for (const run of children) {
      expect(run).toMatchObject({ state: 'COMPLETED', duration_ms: expect.any(Number) });
      expect(run.parent).toMatchObject({ run_id: parent?.run_id, job: { name: 'dbt-run-shop' } });
      expect(run.facets['dbt_run']?.invocation_id).toBe(parent?.facets['dbt_run']?.invocation_id);
    }

    const namespace = children[0]?.outputs[0]?.namespace ?? '';
    const orders = await graphAround(api, namespace, 'shop.main_marts.orders');
    expect(orders.madeFrom('shop.main_marts.orders')).toContain('shop.main.stg_orders');
    expect(orders.madeFrom('shop.main_marts.customers')).toEqual(['shop.main.stg_customers', 'shop.main_marts.orders']);
    const payments = await graphAround(api, namespace, 'shop.raw.payments');
    expect(payments.madeFrom('shop.main.stg_payments')).toEqual(['shop.raw.payments']);
    expect(payments.fieldsOf('shop.raw.payments')).toEqual(['id']);

    // A part of it once more: other runs of the same jobs, and no other dataset.
    const before = await datasets(api, namespace);
    expect(before).toEqual(expect.arrayContaining(['shop.main_marts.customers', 'shop.raw.payments']));
    await dbtRun(key.body['key'] as string, '--select', 'stg_orders');
    const more = await finishedRuns(api, all.length + 2);
    expect(more).toHaveLength(all.length + 2);
    expect(new Set(more.map(({ job }) => job.name)).size).toBe(all.length);
    expect(await datasets(api, namespace)).toEqual(before);
  },
  5 * minutes,
);

interface Graph {
  graph: {
    id: string;
    type: 'DATASET' | 'JOB';
    data: { name: string; fields?: { name: string }[] };
    inEdges: { origin: string }[];
  }[];
}

/** The graph that Marquez's clients get, by the names of its datasets. */
async function graphAround(api: Api, namespace: string, name: string) {
  const nodeId = encodeURIComponent(`dataset:${namespace}:${name}`);
  const answer = await api('GET', `/api/v1/lineage?depth=5&nodeId=${nodeId}`);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const { graph } = answer.body as unknown as Graph;
  const node = (id: string) => graph.find((one) => one.id === id);
  const dataset = (wanted: string) => {
    const found = graph.find(({ type, data }) => type === 'DATASET' && data.name === wanted);
    if (found === undefined) throw new Error(`${wanted} is not in ${JSON.stringify(graph.map(({ id }) => id))}`);
    return found;
  };
  return {
    madeFrom: (wanted: string) =>
      dataset(wanted)
        .inEdges.flatMap(({ origin: job }) => node(job)?.inEdges ?? [])
        .map(({ origin }) => node(origin)?.data.name)
        .sort(),
    fieldsOf: (wanted: string) => dataset(wanted).data.fields?.map((field) => field.name),
  };
}

async function datasets(api: Api, namespace: string): Promise<string[]> {
  const answer = await api('GET', `/api/v1/namespaces/${encodeURIComponent(namespace)}/datasets?limit=1000`);
  expect(answer.status).toBe(200);
  return (answer.body['datasets'] as { name: string }[]).map(({ name }) => name).sort();
}

it(
  'without a key that is right, nothing comes in and dbt is not held up',
  async () => {
    const tenant = freshTenant();
    const done = await project.run('dbt-ol', ['run', '--select', 'days'], {
      OPENLINEAGE_URL: stack.addresses.api,
      OPENLINEAGE_API_KEY: 'lily_wrong',
    });
    expect(done.stdout).toContain('Completed successfully');
    expect(await runs(apiOf(await tokenOf(tenant, ['reader'])))).toEqual([]);
  },
  3 * minutes,
);
