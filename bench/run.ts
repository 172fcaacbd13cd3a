/**
 * `npm run bench`: measures Lily on an emptied stack of its own, and beside each figure what the servers below it do alone
 * on the same machine in the same run. Writes the result to bench/results.
 */
import { Command } from 'commander';
import { openStack, type StepName } from '#deploy/local/stack.ts';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { ceilingLines, measureCeilings, type Ceilings } from './ceilings/measure.ts';
import { openBench, type Bench } from './harness/context.ts';
import { scenarioIds, type Figure, type ScenarioId } from './harness/figure.ts';
import { describeMachine, idleShare } from './harness/machine.ts';
import { writeResults } from './harness/results.ts';
import { textTable } from './harness/table.ts';
import { acknowledgement } from './scenarios/acknowledgement.ts';
import { batchSizes } from './scenarios/batch-sizes.ts';
import { crawl } from './scenarios/crawl.ts';
import { durableIngest } from './scenarios/durable-ingest.ts';
import { entityReads } from './scenarios/entity-reads.ts';
import { idleWrite } from './scenarios/idle-write.ts';
import { impact } from './scenarios/impact.ts';
import { lineageEvents } from './scenarios/lineage-events.ts';
import { lineageGraphReads } from './scenarios/lineage-graph.ts';
import { lineageWalks } from './scenarios/lineage-walks.ts';

const services: StepName[] = ['mongo', 'kafka', 'neo4j', 'temporal', 'oidc', 'warehouse', 'setup', 'worker', 'api'];

/** In the order in which they run: first what wants a quiet system, last what fills it. */
const scenarios: readonly { id: ScenarioId; title: string; run: (bench: Bench) => Promise<Figure[]> }[] = [
  { id: 'b', title: 'idle write', run: idleWrite },
  { id: 'c', title: 'acknowledgement', run: acknowledgement },
  { id: 'd', title: 'impact of a change', run: impact },
  { id: 'f', title: 'reads of entities', run: entityReads },
  { id: 'g', title: 'lineage', run: lineageWalks },
  { id: 'e', title: 'crawl', run: crawl },
  { id: 'a', title: 'durable ingest', run: durableIngest },
  { id: 'i', title: 'OpenLineage events', run: lineageEvents },
  { id: 'j', title: 'lineage graph', run: lineageGraphReads },
  { id: 'h', title: 'batch sizes', run: batchSizes },
];

const options = new Command('bench')
  .option('--only <ids>', `some of ${scenarioIds.join(',')}`, (text) => text.split(','))
  .option('--quick', 'short measurements, to try the bench itself', false)
  .option('--keep', 'leave the stack up', false)
  .parse()
  .opts<{ only?: string[]; quick: boolean; keep: boolean }>();

const startedAt = Date.now();
const say = (text: string): void =>
  void process.stdout.write(`[${((Date.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s] ${text}\n`);

async function ceilingsOf(env: Readonly<Record<string, string>>): Promise<Ceilings> {
  const config = loadConfig(env);
  const { client, db } = await connectMongo(config.mongo);
  const driver = connectNeo4j(config.neo4j);
  try {
    return await measureCeilings(
      { kafka: createKafka(config.kafka, 'lily-bench-raw'), db, driver, config },
      options.quick,
    );
  } finally {
    await Promise.all([client.close(), driver.close()]);
  }
}

await openStack('bench').reset();
const stack = openStack('bench');
const figures: Figure[] = [];
const failures: string[] = [];
try {
  const busyBefore = await idleShare();
  if (busyBefore > 10) say(`the machine is ${busyBefore} % busy with something else: the figures will suffer`);
  say('starting an empty stack');
  await stack.up({ services });
  say('the stack is up; measuring what its servers do alone');
  const ceilings = await ceilingsOf(stack.env);
  for (const line of ceilingLines(ceilings)) say(line);
  const bench = await openBench(stack, { ceilings, quick: options.quick, say });
  for (const { id, title, run } of scenarios) {
    if (options.only !== undefined && !options.only.includes(id)) continue;
    say(`${id}: ${title}`);
    try {
      const measured = await run(bench);
      figures.push(...measured);
      process.stdout.write(`${textTable(measured)}\n`);
    } catch (error) {
      failures.push(`${id} (${title}): ${error instanceof Error ? error.message : String(error)}`);
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
  await bench.close();
  figures.sort((left, right) => left.scenario.localeCompare(right.scenario));
  const seconds = Math.round((Date.now() - startedAt) / 1_000);
  const files = writeResults({
    machine: describeMachine(),
    busyBefore,
    quick: options.quick,
    seconds,
    ceilings,
    figures,
    failures,
  });
  process.stdout.write(`\n${textTable(figures)}\n\nWritten to ${files.join(' and ')}\n`);
} finally {
  if (!options.keep) await stack.down();
}
for (const failure of failures) process.stdout.write(`✗ ${failure}\n`);
process.exit(failures.length === 0 ? 0 : 1);
