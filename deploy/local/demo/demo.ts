import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client as PostgresClient } from 'pg';
import pc from 'picocolors';
import type { NotificationMessage } from '#domain/notifications/message.ts';
import { reportFailure } from '../failure.ts';
import { openProgressView } from '../progress.ts';
import { openStack, type Stack } from '../stack.ts';
import { addressTable, table } from '../tables.ts';
import { dbtDoor, fileDoor, openLineageDoor } from './doors.ts';
import { LilyClient, type LineageView, type Run, type VersionView } from './lily-client.ts';
import { lineageTree } from './lineage-tree.ts';
import { NotificationListener } from './notifications.ts';

/** The tour: crawl a real PostgreSQL, look around, change it, and watch the change arrive. Leaves the stack up. */
async function demo(stack: Stack): Promise<void> {
  const startedAt = performance.now();
  const view = openProgressView();
  await stack.up({ onProgress: view.onProgress }).finally(() => view.close());

  const lily = await LilyClient.signIn(stack, 'demo');
  const listener = await NotificationListener.open(stack, lily.token);
  const source = { type: 'postgres', url: stack.addresses.warehouse, include_system: true };
  const checks: [string, boolean][] = [];

  step(1, 'Crawl a real PostgreSQL warehouse, and its own system catalogues, through POST /v1/ingestions');
  const first = await lily.crawl(source, progressLine);
  print(countsTable(first));

  step(2, 'Look around: where does a number on the board come from?');
  const mart = await lily.find('column', 'warehouse.reporting.board_summary.revenue_eur').catch(() => undefined);
  const column = mart ?? (await lily.find('column', 'warehouse.marts.fct_revenue_daily.revenue_eur'));
  const upstream = await lily.get<LineageView>(
    `/v1/metadata/${column.metadata_id}/lineage?direction=upstream&depth=20`,
  );
  print(lineageTree(upstream, 'upstream'));
  checks.push(['column lineage leads back to the tables', upstream.nodes.length > 3]);

  step(3, 'Crawl again: nothing changed, so nothing is written');
  const second = await lily.crawl(source, progressLine);
  print(countsTable(second));
  checks.push(['the second crawl writes no version', second.counts.unchanged === second.counts.read]);

  step(4, 'Change the warehouse: rename a column, and crawl once more');
  await listener.settled(500);
  listener.clear();
  const { renamed, from } = await renameColumn(stack);
  print(`  ALTER TABLE shop.customers RENAME COLUMN ${from} TO ${renamed}`);
  const third = await lily.crawl(source, progressLine);
  print(countsTable(third));
  const messages = (await listener.settled(1_000)).map(({ message }) => message);
  print(`\n  On the WebSocket meanwhile (${messages.length} messages):`);
  print(await messageTable(lily, messages));
  checks.push(['the rename arrives on the WebSocket', messages.some((message) => message.type === 'update')]);
  checks.push(['what depends on it is told', messages.some((message) => message.type === 'impact')]);

  step(5, 'The history of what was touched');
  const touched = await lily.find('view', 'warehouse.staging.stg_customers');
  const { items } = await lily.get<{ items: VersionView[] }>(`/v1/metadata/${touched.metadata_id}/versions`);
  print(
    table([
      ['  version', 'change', 'since', 'changed'],
      ...items.map((one) => [`  ${one.version}`, one.change, one.valid_from, one.changed_fields.join(', ')]),
    ]),
  );
  checks.push(['the view has a new version', items.length > 1]);

  step(6, 'Three more doors: a CSV file, what a genuine dbt left behind, and an OpenLineage event');
  const file = await fileDoor(lily, progressLine);
  print(
    `  dashboards.csv: ${file.counts.read} rows, ${file.counts.created} created, ${file.counts.unchanged} unchanged`,
  );
  const { run: dbt, incidents } = await dbtDoor(lily, progressLine);
  print(`  dbt: ${dbt.counts.read} entities; what its tests found is now an incident:\n`);
  print(
    table([
      ['  incident', 'severity', 'state', 'affected downstream'],
      ...incidents.map((one) => [`  ${one.title}`, one.severity, one.state, String(one.affected_count)]),
    ]),
  );
  print('\n  OpenLineage, in the graph that clients of Marquez get:');
  print(lineageTree(await openLineageDoor(lily), 'downstream'));
  checks.push([
    'a file, dbt and OpenLineage came in through the same pipeline',
    file.counts.read + dbt.counts.read > 50,
  ]);
  checks.push(['a failing test of dbt is an incident', incidents.some(({ title }) => title.includes('known_status'))]);

  step(7, 'What ran, as the Temporal Web UI shows it');
  print(await workflowTable(stack));
  listener.close();

  const failed = checks.filter(([, ok]) => !ok);
  print(`\n${pc.bold('Summary')}`);
  for (const [what, ok] of checks) print(`  ${ok ? pc.green('✓') : pc.red('✗')} ${what}`);
  print(`  ${first.counts.read} entities crawled three times, in ${seconds(startedAt)} all told.\n`);
  print(addressTable(stack, await stack.status()));
  print(`\nThe stack is still up. ${pc.bold('npm test')} proves it, ${pc.bold('npm run down')} ends it.`);
  if (failed.length > 0) process.exitCode = 1;
}

/** Renames a column there and back again, so that the demo can be run any number of times. */
async function renameColumn(stack: Stack): Promise<{ from: string; renamed: string }> {
  const postgres = new PostgresClient({ connectionString: stack.addresses.warehouse });
  await postgres.connect();
  try {
    const { rows } = await postgres.query<{ column_name: string }>(
      `SELECT column_name FROM information_schema.columns
       WHERE table_schema = 'shop' AND table_name = 'customers' AND column_name IN ('email', 'email_address')`,
    );
    const from = rows[0]?.column_name ?? 'email';
    const renamed = from === 'email' ? 'email_address' : 'email';
    await postgres.query(`ALTER TABLE shop.customers RENAME COLUMN ${from} TO ${renamed}`);
    return { from, renamed };
  } finally {
    await postgres.end();
  }
}

async function messageTable(lily: LilyClient, messages: NotificationMessage[]): Promise<string> {
  const names = new Map<string, string>();
  const nameOf = async (id: string): Promise<string> => {
    const known = names.get(id);
    if (known !== undefined) return known;
    const name = await lily
      .get<{ items: { qualified_name: string }[] }>(`/v1/metadata/${id}/versions?limit=1`)
      .then(({ items }) => items[0]?.qualified_name ?? id);
    names.set(id, name);
    return name;
  };
  const rows: string[][] = [];
  for (const message of messages.slice(0, 14)) {
    if (message.type === 'update') rows.push(['  update', message.change, await nameOf(message.metadata_id), '']);
    if (message.type === 'impact') {
      const cause = message.causes[0];
      const because =
        cause === undefined ? '' : `because of ${await nameOf(cause.metadata_id)}, ${cause.distance} hop(s) up`;
      rows.push(['  impact', '', await nameOf(message.metadata_id), because]);
    }
  }
  if (messages.length > rows.length) rows.push([`  … and ${messages.length - rows.length} more`, '', '', '']);
  return table([['  message', 'change', 'entity', ''], ...rows]);
}

async function workflowTable(stack: Stack): Promise<string> {
  const connection = await Connection.connect({ address: stack.addresses.temporal });
  try {
    const { workflow } = new TemporalClient({
      connection,
      namespace: stack.env['LILY_TEMPORAL_NAMESPACE'] ?? 'default',
    });
    const rows: string[][] = [];
    for (const job of ['ingestSource', 'transformBatch', 'propagateChanges', 'handleIncident']) {
      const query = `LilyTenant = 'demo' AND LilyJob = '${job}'`;
      const { count } = await workflow.count(query);
      const link = `${stack.addresses.temporalUi}/namespaces/default/workflows?query=${encodeURIComponent(query)}`;
      rows.push([`  ${job}`, String(count), link]);
    }
    return table([['  workflow', 'runs', 'look at them'], ...rows]);
  } finally {
    await connection.close();
  }
}

function countsTable({ counts, pages }: Run): string {
  const columns = ['read', 'created', 'updated', 'deleted', 'unchanged', 'rejected'] as const;
  return table([
    ['  pages', ...columns],
    [`  ${pages}`, ...columns.map((column) => String(counts[column]))],
  ]);
}

let lastLine = '';

function progressLine(run: Run): void {
  const line = `  ${run.activity}: ${run.counts.read} entities applied`;
  if (run.state === 'running' && line !== lastLine) process.stderr.write(`${pc.dim(line)}\n`);
  lastLine = line;
}

function step(number: number, title: string): void {
  print(`\n${pc.bold(pc.cyan(`${number}`))} ${pc.bold(title)}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(0)} s`;
}

try {
  await demo(openStack('dev'));
} catch (error) {
  reportFailure(error);
}
process.exit();
