import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../failure.ts';
import { CHECKOUT } from '../paths.ts';
import type { LilyClient, LineageView, Run } from './lily-client.ts';

/** Dashboards that read the crawled warehouse, as somebody would export them from a BI tool. */
const dashboards = `entity_type,name,qualified_name,description,tags,upstream_type,upstream
dashboard,Revenue,bi.revenue,What was sold each day,"finance,daily",view,warehouse.marts.fct_revenue_daily
dashboard,Customers,bi.customers,Who buys,crm,view,warehouse.staging.stg_customers
`;

/** What dbt 1.11 made of a small project with a test that fails and a source that is stale. */
const artifacts = join(CHECKOUT, 'test/fixtures/dbt-artifacts/dbt-1.11');

export interface Incident {
  title: string;
  severity: string;
  state: string;
  affected_count: number;
}

/** A CSV file, uploaded and then read by a run. */
export async function fileDoor(lily: LilyClient, onProgress: (run: Run) => void): Promise<Run> {
  const object = await lily.upload('dashboards.csv', dashboards);
  return lily.crawl({ type: 'file', format: 'csv', name: 'dashboards', object }, onProgress);
}

/** The artifacts of a genuine dbt, and the incidents that its failing test and its stale source have opened. */
export async function dbtDoor(
  lily: LilyClient,
  onProgress: (run: Run) => void,
): Promise<{ run: Run; incidents: Incident[] }> {
  const ids: Record<string, string> = {};
  for (const name of ['manifest', 'catalog', 'run_results', 'sources']) {
    ids[name] = await lily.upload(`${name}.json`, await readFile(join(artifacts, `${name}.json`), 'utf8'));
  }
  const run = await lily.crawl({ type: 'dbt', name: 'shop', ...ids }, onProgress);
  const incidents = await eventually('the incidents of dbt', async () => {
    const { items } = await lily.get<{ items: (Incident & { source: string; assessed: boolean })[] }>('/v1/incidents');
    const found = items.filter((one) => one.source === 'dbt');
    return found.length > 1 && found.every((one) => one.assessed) ? found : undefined;
  });
  return { run, incidents };
}

/** One OpenLineage event, as Airflow or Spark would send it; answers with what is now downstream of the table that it read. */
export async function openLineageDoor(lily: LilyClient): Promise<LineageView> {
  const namespace = 'demo';
  await lily.post('/api/v1/lineage', {
    eventType: 'COMPLETE',
    eventTime: new Date().toISOString(),
    run: { runId: randomUUID() },
    job: { namespace, name: 'export_revenue' },
    inputs: [{ namespace, name: 'fct_revenue_daily' }],
    outputs: [{ namespace: 's3://reports', name: 'revenue.parquet' }],
    producer: 'https://github.com/OpenLineage/OpenLineage/tree/1.54.0/client/python',
    schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
  });
  const nodeId = encodeURIComponent(`dataset:${namespace}:fct_revenue_daily`);
  return eventually('the lineage of the event', async () => {
    const { graph } = await lily
      .get<MarquezGraph>(`/api/v1/lineage?nodeId=${nodeId}&depth=5`)
      .catch((): MarquezGraph => ({ graph: [] }));
    return graph.length > 2 ? asLineage(graph, decodeURIComponent(nodeId)) : undefined;
  });
}

interface MarquezGraph {
  graph: { id: string; type: string; outEdges: { origin: string; destination: string }[] }[];
}

function asLineage(graph: MarquezGraph['graph'], root: string): LineageView {
  return {
    nodes: graph.map(({ id, type }) => ({
      metadata_id: id,
      entity_type: type.toLowerCase(),
      qualified_name: id.slice(id.indexOf(':') + 1),
      distance: id === root ? 0 : 1,
    })),
    edges: graph.flatMap(({ outEdges }) =>
      outEdges.map(({ origin, destination }) => ({ source: origin, target: destination })),
    ),
  };
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 30_000; ; await sleep(100)) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new StackError(`${what} did not appear within 30 s.`);
  }
}
