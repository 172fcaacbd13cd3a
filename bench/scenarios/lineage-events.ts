import { topics } from '#domain/topics.ts';
import type { Bench } from '../harness/context.ts';
import { costText, sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { HttpConnection } from '../harness/http-connection.ts';
import { EventTemplate, sourcesOf, type LineageShape } from '../harness/lineage-events.ts';
import { LoadProcess } from '../harness/load-process.ts';
import { distribution } from '../harness/stats.ts';

const tenantId = 'bench-i';
const shape: LineageShape = { datasets: 1_000, namespace: 'bench' };
/** Acknowledged events that may be on their way: the load stops above, and goes on below half of it. */
const mostUnderWay = 6_000;

/**
 * OpenLineage run events of about 12 KB, with schemas and column lineage of a warehouse of 1,000 datasets, as fast as they are
 * applied: first all datasets are made known, then each event is a run of its own of a job that is known. Beside it, how long
 * after its acknowledgement an event is seen.
 */
export async function lineageEvents(bench: Bench): Promise<Figure[]> {
  const token = await bench.token(tenantId);
  const first = await makeKnown(bench, token);
  const visible = await visibility(bench, token);
  const warmUpSeconds = bench.quick ? 3 : 10;
  const seconds = bench.quick ? 10 : 45;
  const load = new LoadProcess();
  const before = await applied(bench);
  const base = bench.stack.addresses.api;
  const running = load.run({ kind: 'lineage-events', base, token, shape, connections: 16 });
  try {
    const follow = async (forSeconds: number): Promise<number> => {
      const startedAt = performance.now();
      const from = await applied(bench);
      let done = from;
      while (performance.now() - startedAt < forSeconds * 1_000) {
        const underWay = load.acknowledged - (done - before);
        if (underWay > mostUnderWay) load.steer({ type: 'pause' });
        else if (underWay < mostUnderWay / 2) load.steer({ type: 'resume' });
        await new Promise((resolve) => setTimeout(resolve, 100));
        done = await applied(bench);
      }
      return (done - from) / ((performance.now() - startedAt) / 1_000);
    };
    const warmUp = await follow(warmUpSeconds);
    const meter = await bench.meter(load);
    const sustained = await follow(seconds);
    const shares = meter.shares();
    load.steer({ type: 'stop' });
    const { count, latency } = await running;
    await untilApplied(bench, before + count);
    return [
      {
        scenario: 'i',
        name: 'OpenLineage events applied, sustained',
        value: sustained,
        unit: 'events/s',
        aim: 1_000,
        ceilings: [{ what: 'bare Kafka messages of 400 bytes', value: bench.ceilings.kafka.produced }],
        limit: `${sharesText(shares)}; ${costText(shares, sustained)}`,
        note: `${seconds} s, ${numberText(shape.datasets)} datasets known; the ${warmUpSeconds} s before gave ${numberText(warmUp)}/s; ${numberText(count)} events verified; acknowledged in p50 ${numberText(latency.p50)} ms, p99 ${numberText(latency.p99)} ms with 16 at once`,
      },
      {
        scenario: 'i',
        name: 'OpenLineage, the first event of each of 900 jobs',
        value: first.entitiesPerSecond,
        unit: 'entities/s',
        ceilings: [{ what: 'Neo4j nodes', value: bench.ceilings.neo4j.nodes }],
        limit: '',
        note: `${numberText(first.entities)} datasets, columns and jobs came to be in ${numberText(first.seconds)} s`,
      },
      {
        scenario: 'i',
        name: 'OpenLineage event acknowledged → its run is seen, p50',
        value: visible.p50,
        unit: 'ms',
        aim: 250,
        ceilings: [],
        limit: '',
        note: `idle, ${visible.count} events one after the other; p99 ${numberText(visible.p99)} ms`,
      },
    ];
  } finally {
    load.close();
  }
}

/** Events of closed batches. */
async function applied(bench: Bench): Promise<number> {
  const [sum] = await bench.db
    .collection('batches')
    .aggregate<{ read: number }>([
      { $match: { tenant_id: tenantId, closed_at: { $exists: true } } },
      { $group: { _id: null, read: { $sum: '$counts.read' } } },
    ])
    .toArray();
  return sum?.read ?? 0;
}

async function untilApplied(bench: Bench, events: number): Promise<void> {
  const deadline = performance.now() + 600_000;
  for (let done = 0; done !== events; await new Promise((resolve) => setTimeout(resolve, 50))) {
    done = await applied(bench);
    if (performance.now() > deadline) throw new Error(`${done} of ${events} events were applied`);
  }
}

async function makeKnown(bench: Bench, token: string) {
  const startedAt = performance.now();
  const before = await bench.endOf(topics.changes);
  const events = Array.from({ length: shape.datasets - sourcesOf(shape) }, (_, index) =>
    new EventTemplate(shape, sourcesOf(shape) + index).next(),
  );
  await sendAll(bench, token, events);
  await untilApplied(bench, events.length);
  const seconds = (performance.now() - startedAt) / 1_000;
  const entities = (await bench.endOf(topics.changes)) - before;
  return { seconds, entities, entitiesPerSecond: entities / seconds };
}

/** Sends events in batches of about a megabyte. */
export async function sendAll(bench: Bench, token: string, events: readonly string[]): Promise<void> {
  const connection = new HttpConnection(bench.stack.addresses.api);
  const headers = { Authorization: `Bearer ${token}` };
  for (let start = 0; start < events.length; start += 100) {
    const body = `[${events.slice(start, start + 100).join(',')}]`;
    const { status, body: answer } = await connection.request('POST', '/api/v1/lineage/batch', headers, body);
    if (status !== 200) throw new Error(`a batch of events got ${status}: ${answer.slice(0, 300)}`);
  }
  connection.close();
}

/** How long it takes from the answer to an event until its run can be read. */
async function visibility(bench: Bench, token: string) {
  const connection = new HttpConnection(bench.stack.addresses.api);
  const headers = { Authorization: `Bearer ${token}` };
  const template = new EventTemplate(shape, sourcesOf(shape));
  const durations: number[] = [];
  for (let round = 0; round < (bench.quick ? 5 : 30); round++) {
    const event = template.next();
    const runId = /"runId":"([^"]+)"/.exec(event)?.[1] ?? '';
    const { status } = await connection.request('POST', '/api/v1/lineage', headers, event);
    if (status !== 201) throw new Error(`an event got ${status}`);
    const startedAt = performance.now();
    for (let seen = 0; seen !== 200;) {
      seen = (await connection.request('GET', `/v1/lineage-runs/${runId}`, headers)).status;
    }
    durations.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  connection.close();
  return distribution(durations);
}
