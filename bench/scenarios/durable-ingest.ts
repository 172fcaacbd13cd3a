import { collections } from '#platform/mongo/collections.ts';
import { topics } from '#domain/topics.ts';
import { bareStagesPerSecond } from '../ceilings/measure.ts';
import { untilChanges, type Bench } from '../harness/context.ts';
import { costText, sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { LoadProcess } from '../harness/load-process.ts';

const tenantId = 'bench-a';
const arraySize = 500;
/** Acknowledged records that may be on their way: the load stops above, and goes on below half of it. */
const mostUnderWay = 20_000;
const pollMs = 100;

/**
 * Records through the REST API in arrays, as fast as they become durable: acknowledged, in MongoDB, in Neo4j and on
 * `lily.changes`, which comes last and is what is counted. Everything is on: validation, history, propagation, receipts.
 */
export async function durableIngest(bench: Bench): Promise<Figure[]> {
  const warmUpSeconds = bench.quick ? 8 : 20;
  const seconds = bench.quick ? 15 : 60;
  const load = new LoadProcess();
  const before = await bench.endOf(topics.changes);
  const running = load.run({
    kind: 'arrays',
    base: bench.stack.addresses.api,
    token: await bench.token(tenantId),
    prefix: 'bench.a',
    connections: 4,
    arraySize,
    updates: 0.2,
  });
  try {
    const durable = async (): Promise<number> => (await bench.endOf(topics.changes)) - before;
    const follow = async (forSeconds: number): Promise<number> => {
      const startedAt = performance.now();
      const from = await durable();
      let made = from;
      while (performance.now() - startedAt < forSeconds * 1_000) {
        const underWay = load.acknowledged - made;
        if (underWay > mostUnderWay) load.steer({ type: 'pause' });
        else if (underWay < mostUnderWay / 2) load.steer({ type: 'resume' });
        await new Promise((resolve) => setTimeout(resolve, pollMs));
        made = await durable();
      }
      return (made - from) / ((performance.now() - startedAt) / 1_000);
    };
    const warmUp = await follow(warmUpSeconds);
    const meter = await bench.meter(load);
    const sustained = await follow(seconds);
    const shares = meter.shares();
    const limit = `${sharesText(shares)}; ${costText(shares, sustained)}`;
    load.steer({ type: 'stop' });
    const { count, latency } = await running;
    await untilChanges(bench, before, count, 60_000);
    await checkStored(bench, count);
    const { kafka, mongo, neo4j } = bench.ceilings;
    return [
      {
        scenario: 'a',
        name: 'durable ingest, sustained',
        value: sustained,
        unit: 'records/s',
        aim: 3_000,
        ceilings: [
          { what: 'bare stages one after the other', value: bareStagesPerSecond(bench.ceilings) },
          { what: 'Neo4j nodes', value: neo4j.nodes },
          { what: 'MongoDB upserts', value: mongo.upserted },
          { what: 'Kafka', value: kafka.produced },
        ],
        limit,
        note: `${seconds} s, a fifth updates; the ${warmUpSeconds} s before gave ${numberText(warmUp)}/s; ${numberText(count)} records verified; an array of ${arraySize} was acknowledged in p50 ${numberText(latency.p50)} ms`,
      },
    ];
  } finally {
    load.close();
  }
}

/** Acknowledged means: in all three places. */
async function checkStored(bench: Bench, count: number): Promise<void> {
  const all = collections(bench.db);
  const versions = await all.entityVersions.countDocuments({ tenant_id: tenantId });
  const entities = await all.entities.countDocuments({ tenant_id: tenantId });
  const { records } = await bench.driver.executeQuery(
    'MATCH (n:Node:Entity {tenant_id: $tenantId}) RETURN count(n) AS nodes',
    { tenantId },
  );
  const nodes = Number(records[0]?.get('nodes'));
  if (versions !== count || nodes !== entities) {
    throw new Error(
      `${count} records were acknowledged, but there are ${versions} versions of ${entities} entities, and ${nodes} nodes`,
    );
  }
}
