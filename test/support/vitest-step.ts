import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import type { Step, StepResult, Tally } from './steps.ts';

export interface VitestOptions {
  env?: Readonly<Record<string, string>>;
  live?: boolean;
  timeoutMs: number;
  /** Only test files whose path contains one of these. */
  filters?: readonly string[];
}

/** What Vitest's JSON reporter writes, as far as it is counted here. */
interface Report {
  testResults: {
    name: string;
    status: string;
    assertionResults: { status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo' | 'disabled' }[];
  }[];
}

/** One project of vitest.config.ts, in a process of its own. */
export function vitestStep(project: string, options: VitestOptions): Step {
  return {
    name: `${project} tests`,
    live: options.live ?? false,
    run: () => runProject(project, options),
  };
}

async function runProject(project: string, { filters = [], ...options }: VitestOptions): Promise<StepResult> {
  const folder = mkdtempSync(join(tmpdir(), 'lily-tests-'));
  const report = join(folder, 'report.json');
  try {
    const { code, output } = await runCommand(
      process.execPath,
      // prettier-ignore
      ['--disable-warning=ExperimentalWarning', 'node_modules/vitest/vitest.mjs', 'run', '--project', project,
        '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters],
      { env: { ...options.env, NODE_ENV: 'test' }, ...options },
    );
    return { tally: withExitCode(readTally(report), code), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readTally(file: string): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of readReport(file).testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') tally.passed += 1;
      else if (test.status === 'failed') tally.failed += 1;
      else tally.skipped += 1;
    }
    // A file that does not load, or whose hooks fail, may have no failed test to show for it.
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) tally.failed += 1;
  }
  return tally;
}

function readReport(file: string): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return { testResults: [] };
  }
}

/** An error outside of any test makes Vitest end badly though every test passed. */
function withExitCode(tally: Tally, code: number): Tally {
  return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}
