/**
 * `npm run test:chaos`: kills every part of a stack of its own, one after the other, under load, and then checks that
 * nothing which was acknowledged is lost, doubled or out of order.
 */
import { Command } from 'commander';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { collections } from '#platform/mongo/collections.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { connectTemporal } from '#platform/temporal/client.ts';
import { openStack, type Stack, type StepName } from '#deploy/local/stack.ts';
import { readChangeLog, verifyConsistency, type Discrepancy } from '#test/support/consistency.ts';
import { parseRaw, recordText } from '#test/support/consistency/expected-history.ts';
import { killEach, victims } from './killer.ts';
import { checkLedger, Ledger } from './ledger.ts';
import { runLoad, tenantIds } from './load.ts';
import { untilQuiet } from './quiescence.ts';
import { Random } from './random.ts';
import { printReport } from './report.ts';
import { sabotage } from './sabotage.ts';

const services: StepName[] = ['mongo', 'kafka', 'neo4j', 'temporal', 'oidc', 'setup', 'worker', 'api'];
const quietTimeoutMs = 120_000;
/** How long one round of killings takes, about. */
const roundSeconds = 60;
const shownDiscrepancies = 40;

interface Options {
  records: number;
  seed: number;
  rounds: number;
  kill?: string[];
  keep: boolean;
}

const whole = (text: string): number => Math.max(1, Math.trunc(Number(text)));
const options = new Command('chaos')
  .option('--records <n>', 'acknowledged records, at least', whole, 20_000)
  .option(
    '--seed <n>',
    'of the load and of the order of the killings',
    whole,
    Math.trunc(Date.now() / 1_000) % 1_000_000,
  )
  .option('--rounds <n>', 'how often each service is killed', whole, 2)
  .option('--kill <names>', `only some of ${victims.join(',')}`, (text) => text.split(','))
  .option('--keep', 'leave the stack up, to look into it', false)
  .parse()
  .opts<Options>();

const startedAt = Date.now();
const say = (text: string): void => {
  process.stdout.write(`[${((Date.now() - startedAt) / 1_000).toFixed(1).padStart(6)} s] ${text}\n`);
};

async function chaos(stack: Stack): Promise<{ passed: number; discrepancies: Discrepancy[] }> {
  const config = loadConfig(stack.env);
  const kafka = createKafka(config.kafka, 'lily-chaos');
  const random = new Random(options.seed);
  const ledger = new Ledger();
  const ended = new AbortController();
  let killingDone = false;

  const load = runLoad({
    stack,
    kafka,
    ledger,
    seed: options.seed,
    records: options.records,
    seconds: options.rounds * roundSeconds,
    isPaced: () => !killingDone,
    goesOn: () => !ended.signal.aborted && (!killingDone || ledger.entries.length < options.records),
    giveUp: ended.signal,
  });
  const killing = killEach(
    stack,
    victims.filter((name) => options.kill?.includes(name) ?? true),
    options.rounds,
    random,
    (text) => say(`${text} (${ledger.entries.length} acknowledged)`),
  ).finally(() => {
    killingDone = true;
  });
  const [killings] = await Promise.all([killing, load]).finally(() => ended.abort());
  say(`the load is over: ${ledger.entries.length} records acknowledged; waiting until all is quiet`);

  const { client, db } = await connectMongo(config.mongo);
  const driver = connectNeo4j(config.neo4j);
  const temporal = await connectTemporal(config.temporal);
  try {
    const discrepancies: Discrepancy[] = [];
    // Quiet first: what is still under way looks like a fault.
    const restless = await untilQuiet({ kafka, db, temporal }, quietTimeoutMs);
    if (restless !== undefined)
      discrepancies.push({ kind: 'not quiet', tenantId: '', subject: 'stack', detail: restless });
    say(restless === undefined ? 'all is quiet; verifying' : `still under way: ${restless}`);

    const changes = await readChangeLog(kafka);
    const report = await verifyConsistency({ db, driver, tenantIds, changes });
    const raw = await collections(db).rawRecords.find({}).toArray();
    const arrived = new Map(
      raw.map((document) => {
        const parsed = parseRaw(document);
        const text = parsed.record?.op === 'upsert' ? recordText(document.tenant_id, parsed.record) : undefined;
        return [document._id, { ...parsed, text }] as const;
      }),
    );
    const check = checkLedger(ledger, arrived, report.outcomes);
    discrepancies.push(...check.discrepancies, ...report.discrepancies);
    if (ledger.entries.length < options.records) {
      discrepancies.push({
        kind: 'too little load',
        tenantId: '',
        subject: 'ledger',
        detail: `${ledger.entries.length} acknowledged`,
      });
    }
    printReport(killings, ledger, check, report);
    if (discrepancies.length > 0 || options.keep)
      return { passed: report.counts.records + report.counts.entities, discrepancies };

    const { planted, unnoticed } = await sabotage({ db, driver, tenantId: tenantIds[0], changes });
    say(`planted ${planted} faults to test the verification itself: ${planted - unnoticed.length} were noticed`);
    for (const subject of unnoticed)
      discrepancies.push({ kind: 'unnoticed fault', tenantId: tenantIds[0], subject, detail: '' });
    return { passed: report.counts.records + report.counts.entities + planted - unnoticed.length, discrepancies };
  } finally {
    await Promise.all([client.close(), driver.close(), temporal.connection.close()]);
  }
}

await openStack('chaos').reset();
const stack = openStack('chaos');
let failed = 1;
let passed = 0;
try {
  say(`seed ${options.seed}; starting an empty stack`);
  await stack.up({ services });
  say('the stack is up');
  const result = await chaos(stack);
  passed = result.passed;
  failed = result.discrepancies.length;
  for (const { kind, tenantId, subject, detail } of result.discrepancies.slice(0, shownDiscrepancies)) {
    process.stdout.write(`  ✗ ${kind}: ${tenantId} ${subject} ${detail}\n`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
} finally {
  if (!options.keep) await stack.down();
}
say(options.keep ? 'the stack is left up' : 'the stack is down');
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
