import { Client } from 'pg';
import { warehouseAccount } from '#deploy/local/warehouse/url.ts';
import { createWideDatabase } from '#test/integration/ingestion/wide-database.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { HttpConnection } from '../harness/http-connection.ts';
import { repeated } from '../harness/stats.ts';

const columnsPerTable = 20;
const runTimeoutMs = 180_000;
const database = 'bench_wide';

/** What a crawler must read at least: every column with its type and comment. */
const bareCatalogue = `
  SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'wide' AND a.attnum > 0 AND c.relkind = 'r'`;

interface Run {
  run_id: string;
  state: string;
  reason: string | null;
  counts: { read: number; applied: number; unchanged: number; rejected: number };
  started_at: string;
  ended_at: string | null;
}

/** The crawl of a wide database through the API: the first, in which everything is new, and a second, in which nothing has changed. */
export async function crawl(bench: Bench): Promise<Figure[]> {
  const tables = bench.quick ? 200 : 1_000;
  const columns = tables * columnsPerTable;
  const url = bench.stack.addresses.warehouse.replace(/\/[^/]*$/, `/${database}`);
  await withClient(bench.stack.addresses.warehouse, (client) => client.query(`CREATE DATABASE ${database}`));
  const bareMs = await withClient(url, async (client) => {
    await createWideDatabase(client, { tables, columnsPerTable });
    await client.query('ANALYZE');
    return (await repeated(5, 0, () => client.query(bareCatalogue))).p50;
  });
  const headers = { Authorization: `Bearer ${await bench.token('bench-e')}` };
  const connection = new HttpConnection(bench.stack.addresses.api);
  const ceilings = [
    { what: 'bare catalogue query', value: columns / (bareMs / 1_000) },
    { what: 'Neo4j nodes', value: bench.ceilings.neo4j.nodes },
  ];
  const figures: Figure[] = [];
  for (const [index, name] of ['first crawl', 'second crawl, unchanged'].entries()) {
    const meter = await bench.meter();
    const run = await runToItsEnd(connection, headers, url);
    const limit = sharesText(meter.shares());
    const seconds = (Date.parse(run.ended_at ?? '') - Date.parse(run.started_at)) / 1_000;
    const { read, applied, unchanged, rejected } = run.counts;
    if (run.state !== 'completed' || rejected > 0 || (index === 1 && applied > 0)) {
      throw new Error(`the ${name} is ${run.state} (${run.reason ?? 'no reason'}): ${JSON.stringify(run.counts)}`);
    }
    figures.push({
      scenario: 'e',
      name,
      value: columns / seconds,
      unit: 'columns/s',
      aim: 2_000,
      ceilings: index === 0 ? ceilings : ceilings.slice(0, 1),
      limit,
      note: `${numberText(tables)} tables × ${columnsPerTable} columns in ${numberText(seconds)} s; ${read} read, ${applied} applied, ${unchanged} unchanged`,
    });
  }
  connection.close();
  return figures;
}

async function runToItsEnd(connection: HttpConnection, headers: Record<string, string>, url: string): Promise<Run> {
  const source = { type: 'postgres', url, name: database };
  const started = await connection.request('POST', '/v1/ingestions', headers, JSON.stringify({ source }));
  if (started.status !== 202) throw new Error(`the crawl was not started: ${started.status} ${started.body}`);
  const { run_id: id } = JSON.parse(started.body) as Run;
  for (const deadline = Date.now() + runTimeoutMs; ;) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const run = JSON.parse((await connection.request('GET', `/v1/ingestions/${id}`, headers)).body) as Run;
    if (run.ended_at !== null) return run;
    if (Date.now() > deadline) throw new Error(`the crawl has not ended: ${JSON.stringify(run)}`);
  }
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString, user: warehouseAccount.user, password: warehouseAccount.password });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
