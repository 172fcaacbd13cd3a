/** A distribution of durations, in milliseconds. */
export interface Distribution {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export function distribution(values: readonly number[]): Distribution {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

/** Runs the work and says how many milliseconds it took. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startedAt = performance.now();
  const result = await work();
  return { ms: performance.now() - startedAt, result };
}

/** Runs the work `times` times, one after the other, with a pause between, and gives the durations. */
export async function repeated(
  times: number,
  pauseMs: number,
  work: (index: number) => Promise<unknown>,
): Promise<Distribution> {
  const durations: number[] = [];
  for (let index = 0; index < times; index++) {
    durations.push((await timed(() => work(index))).ms);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return distribution(durations);
}

/** How often a second `work` ran when `lanes` of them run side by side for about `seconds`. Each call answers what it counts for. */
export async function throughput(
  lanes: number,
  seconds: number,
  work: (index: number) => Promise<number>,
): Promise<number> {
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1_000;
  let count = 0;
  let next = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() < endAt) {
        // Not `count += await …`, which reads the count before it waits.
        const made = await work(next++);
        count += made;
      }
    }),
  );
  return count / ((performance.now() - startedAt) / 1_000);
}
