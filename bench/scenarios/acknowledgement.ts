import { topics } from '#domain/topics.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { LoadProcess, runJob } from '../harness/load-process.ts';
import { untilChanges } from '../harness/context.ts';

const tenantId = 'bench-c';
const perSecond = 200;

/**
 * Single records at a constant 200 a second, each measured from when it was due. Beside it, bare kafkajs sends of the same
 * records at the same rate: into a topic that nobody reads, and into `lily.ingest`, where the pipeline works on them too.
 */
export async function acknowledgement(bench: Bench): Promise<Figure[]> {
  const seconds = bench.quick ? 6 : 20;
  const { brokers } = bench.config.kafka;
  const send = (topic: string, prefix: string, forSeconds: number) =>
    runJob({ kind: 'send-open', brokers, topic, tenantId, prefix, perSecond, seconds: forSeconds });

  await send('bench.raw', 'warm', 3);
  const bare = await send('bench.raw', 'bare', seconds);
  let before = await bench.endOf(topics.changes);
  const beside = await send(topics.ingest, 'bench.c.beside', seconds);
  await untilChanges(bench, before, beside.count, 60_000);

  before = await bench.endOf(topics.changes);
  const load = new LoadProcess();
  const job = {
    kind: 'post-open',
    base: bench.stack.addresses.api,
    token: await bench.token(tenantId),
    perSecond,
  } as const;
  await load.run({ ...job, prefix: 'bench.c.warm', seconds: 3 });
  const meter = await bench.meter(load);
  const rest = await load.run({ ...job, prefix: 'bench.c', seconds });
  const limit = sharesText(meter.shares());
  load.close();
  await untilChanges(bench, before, rest.count + 3 * perSecond, 60_000);
  if (rest.errors > 0) throw new Error(`${rest.errors} of ${rest.count} requests were not acknowledged`);

  const figure = (percentile: 'p50' | 'p99'): Figure => ({
    scenario: 'c',
    name: `acknowledgement at ${perSecond}/s, ${percentile}`,
    value: rest.latency[percentile],
    unit: 'ms',
    ...(percentile === 'p99' && { aim: 3 * beside.latency.p99 }),
    ceilings: [
      { what: 'bare send into lily.ingest, pipeline on', value: beside.latency[percentile] },
      { what: 'bare send, nobody reads', value: bare.latency[percentile] },
    ],
    limit: percentile === 'p50' ? limit : '',
    ...(percentile === 'p99' && {
      note: `largest ${numberText(rest.latency.max)} ms; bare ${numberText(beside.latency.max)} ms`,
    }),
  });
  return [figure('p50'), figure('p99')];
}
