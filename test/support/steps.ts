import pc from 'picocolors';

/** How many tests, or checks, went how. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export interface StepResult {
  tally: Tally;
  /** Shown when something failed. */
  output: string;
}

/** One thing that `npm run check` or `npm test` does. */
export interface Step {
  name: string;
  /** Its output has been on the terminal already. */
  live?: boolean;
  run: () => Promise<StepResult>;
}

export const passed = (output = ''): StepResult => ({ tally: { passed: 1, failed: 0, skipped: 0 }, output });
export const failed = (output: string): StepResult => ({ tally: { passed: 0, failed: 1, skipped: 0 }, output });

/**
 * Runs the steps in their order, `atOnce` of them side by side, and prints a line for each when it ends, with the output of
 * those that failed. A step that throws has failed; the others go on.
 */
export async function runSteps(steps: readonly Step[], atOnce = 1): Promise<Tally> {
  const waiting = [...steps];
  const tallies: Tally[] = [];
  const lane = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) tallies.push(await runStep(step));
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return sum(tallies);
}

export function sum(tallies: readonly Tally[]): Tally {
  const total = (count: keyof Tally): number => tallies.reduce((all, tally) => all + tally[count], 0);
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped') };
}

/** `3 passed, 0 failed`, and what was skipped, if anything. */
export function summary({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

async function runStep(step: Step): Promise<Tally> {
  const startedAt = performance.now();
  const { tally, output } = await step.run().catch((error: unknown) => failed(describe(error)));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const counts = tally.passed + tally.failed + tally.skipped === 1 ? '' : `  ${summary(tally)}`;
  const mark = tally.failed > 0 ? pc.red('✗') : pc.green('✓');
  const detail = tally.failed > 0 && !step.live ? `${output.trimEnd()}\n` : '';
  process.stdout.write(`${mark} ${step.name.padEnd(24)} ${seconds.padStart(6)} s${counts}\n${detail}`);
  return tally;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
