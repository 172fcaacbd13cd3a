import { rmSync } from 'node:fs';
import { runCommand } from './support/command.ts';
import { failed, passed, runSteps, summary, type Step, type StepResult } from './support/steps.ts';
import { vitestStep } from './support/vitest-step.ts';
import { bundleWorkflows } from './support/workflow-bundle.ts';

const timeoutMs = 5 * 60_000;

/** Everything that needs no server, the longest first so that they overlap well. */
export function checkSteps(): Step[] {
  return [
    vitestStep('unit', { timeoutMs }),
    tool('format', 'node_modules/.bin/prettier', '--check', '--log-level=warn', '.'),
    tool('lint', 'node_modules/.bin/oxlint'),
    tool('types', 'node_modules/.bin/tsc', '--noEmit', '--project', '.'),
    vitestStep('replay', { timeoutMs }),
    { name: 'workflow bundle', run: bundle },
    tool('dead code', 'node_modules/.bin/knip', '--no-config-hints'),
  ];
}

/** Side by side as two processor cores allow. */
export const checksAtOnce = 2;

function tool(name: string, command: string, ...args: string[]): Step {
  return {
    name,
    async run(): Promise<StepResult> {
      const { code, output } = await runCommand(command, args, { timeoutMs });
      return code === 0 ? passed(output) : failed(output);
    },
  };
}

async function bundle(): Promise<StepResult> {
  rmSync(await bundleWorkflows());
  return passed();
}

if (import.meta.main) {
  const tally = await runSteps(checkSteps(), checksAtOnce);
  process.stdout.write(`${summary(tally)}\n`);
  process.exitCode = tally.failed > 0 ? 1 : 0;
}
