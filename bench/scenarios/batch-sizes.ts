import { topics } from '#domain/topics.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { LoadProcess } from '../harness/load-process.ts';

const sizes = [1, 50, 500, 2_000] as const;
const warmUpMs = 8_000;
const variable = 'LILY_BATCH_RECORDS';

/** Durable records a second when the streaming door takes at most so many records into one batch, with enough waiting to fill it. */
export async function batchSizes(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  const token = await bench.token('bench-h');
  try {
    for (const size of sizes) {
      process.env[variable] = String(size);
      await restartWorker(bench);
      figures.push(await measure(bench, token, size));
    }
  } finally {
    delete process.env[variable];
    await restartWorker(bench);
  }
  return figures;
}

async function restartWorker({ stack }: Bench): Promise<void> {
  await stack.kill('worker', 'SIGTERM');
  await stack.start('worker');
}

async function untilMade(bench: Bench, end: number): Promise<void> {
  while ((await bench.endOf(topics.changes)) < end) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Fills `lily.ingest` first, and then measures while it empties; what is left is waited for. */
async function measure(bench: Bench, token: string, size: number): Promise<Figure> {
  const seconds = bench.quick ? 5 : 12;
  const perSecond = Math.min(6_000, 60 + size * 30);
  const wanted = perSecond * (seconds + 3);
  const before = await bench.endOf(topics.changes);
  const load = new LoadProcess();
  const prefix = `bench.h${size}`;
  const job = {
    kind: 'arrays',
    base: bench.stack.addresses.api,
    token,
    prefix,
    connections: 2,
    arraySize: size < 500 ? 50 : 500,
    updates: 0,
  } as const;
  const running = load.run(job);
  // The worker has just been started: it warms up on the first records.
  await Promise.race([untilMade(bench, before + wanted / 4), new Promise((resolve) => setTimeout(resolve, warmUpMs))]);
  const meter = await bench.meter(load);
  const startedAt = performance.now();
  const from = await bench.endOf(topics.changes);
  let made = from;
  while (performance.now() - startedAt < seconds * 1_000) {
    const underWay = load.acknowledged - (made - before);
    load.steer({ type: underWay > wanted / 4 ? 'pause' : 'resume' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    made = await bench.endOf(topics.changes);
  }
  const rate = (made - from) / ((performance.now() - startedAt) / 1_000);
  const limit = sharesText(meter.shares());
  load.steer({ type: 'stop' });
  const { count } = await running;
  load.close();
  for (
    const deadline = Date.now() + 90_000;
    (await bench.endOf(topics.changes)) - before < count && Date.now() < deadline;
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    scenario: 'h',
    name: `batches of at most ${numberText(size)}`,
    value: rate,
    unit: 'records/s',
    ceilings: [{ what: 'empty workflows × batch', value: bench.ceilings.temporal.workflows * size }],
    limit,
  };
}
