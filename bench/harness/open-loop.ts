/**
 * Starts `work` at a constant rate, whether or not earlier work has ended, and measures from the moment at which each was
 * due: a stall counts for everything that should have begun meanwhile (no coordinated omission).
 * @returns how long each took, in milliseconds.
 */
export async function openLoop(
  perSecond: number,
  seconds: number,
  work: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const total = Math.round(perSecond * seconds);
  const intervalMs = 1_000 / perSecond;
  const startAt = performance.now() + 20;
  const durations: number[] = [];
  const running: Promise<void>[] = [];
  for (let index = 0; index < total;) {
    const dueAt = startAt + index * intervalMs;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      continue;
    }
    running.push(work(index).then(() => void durations.push(performance.now() - dueAt)));
    index += 1;
  }
  await Promise.all(running);
  return durations;
}
