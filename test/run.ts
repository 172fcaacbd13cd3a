import { openProgressView } from '#deploy/local/progress.ts';
import { openStack } from '#deploy/local/stack.ts';
import { checksAtOnce, checkSteps } from './check.ts';
import { endCommands } from './support/command.ts';
import { openPythonTools } from './support/python-tools.ts';
import { openMariadb } from './support/sources/mariadb-server.ts';
import { failed, passed, runSteps, sum, summary, type Step, type Tally } from './support/steps.ts';
import { temporalTestServerCommand } from './support/test-server.ts';
import { vitestStep } from './support/vitest-step.ts';

const usage = `usage: npm test                          everything
       npm test -- check                 what needs no server
       npm test -- <project> [filter…]   one of: unit, replay, workflows, compose, integration, e2e;
                                         a filter is a part of a test file's path`;

const stackName = 'test';
const timeoutMs = 15 * 60_000;
const alone = ['unit', 'replay', 'workflows', 'compose'];
const onTheStack = ['integration', 'e2e'];

let interrupted = false;
const tallies: Tally[] = [];

async function run(steps: readonly Step[], atOnce = 1): Promise<void> {
  if (!interrupted) tallies.push(await runSteps(steps, atOnce));
}

async function everything(): Promise<void> {
  await run(checkSteps(), checksAtOnce);
  await run([vitestStep('compose', { timeoutMs }), vitestStep('workflows', { timeoutMs })]);
  await withStack(onTheStack, []);
}

/** Brings the stack up with nothing in it, runs the projects, and takes it down again whatever happened. */
async function withStack(projects: readonly string[], filters: readonly string[]): Promise<void> {
  const env: Record<string, string> = { LILY_STACK: stackName };
  await run([{ name: 'stack up', run: () => bringUp(env) }]);
  try {
    if (tallies.at(-1)?.failed === 0) {
      await run(projects.map((project) => vitestStep(project, { env, filters, live: true, timeoutMs })));
    }
  } finally {
    tallies.push(await runSteps([{ name: 'stack down', run: takeDown }]));
  }
}

/** Fills `env` with what a test needs to know of the stack; its secrets are made anew, so that is known only now. */
async function bringUp(env: Record<string, string>): ReturnType<Step['run']> {
  const view = openProgressView(process.stdout);
  try {
    await openStack(stackName).reset();
    const stack = openStack(stackName);
    Object.assign(env, stack.env);
    const { onProgress } = view;
    const work = [
      temporalTestServerCommand(onProgress),
      openPythonTools(onProgress),
      openMariadb(onProgress),
      stack.up({ onProgress }),
    ] as const;
    // What failed first is told once nothing is under way any more that the next step would disturb.
    await Promise.allSettled(work);
    const [testServer] = await Promise.all(work);
    env['LILY_TEST_SERVER'] = testServer;
    return passed();
  } finally {
    view.close();
  }
}

async function takeDown(): ReturnType<Step['run']> {
  const stack = openStack(stackName);
  await stack.down();
  const left = (await stack.status()).filter(({ pid }) => pid !== null).map(({ name }) => name);
  return left.length === 0 ? passed() : failed(`still there: ${left.join(', ')}`);
}

// A Ctrl-C arrives several times at once: from the terminal, and from each process that hands it on.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted) return;
    interrupted = true;
    process.stdout.write('\ninterrupted: takes down what runs\n');
    endCommands();
  });
}

const [what = 'everything', ...filters] = process.argv.slice(2);
if (what === 'everything') await everything();
else if (what === 'check') await run(checkSteps(), checksAtOnce);
else if (alone.includes(what)) await run([vitestStep(what, { filters, live: true, timeoutMs })]);
else if (onTheStack.includes(what)) await withStack([what], filters);
else {
  process.stderr.write(`${usage}\n`);
  process.exit(2);
}

if (interrupted) tallies.push(failed('').tally);
const tally = sum(tallies);
const nothingRan = tally.passed + tally.failed === 0;
process.stdout.write(`${summary(tally)}\n`);
process.exitCode = interrupted ? 130 : tally.failed > 0 || nothingRan ? 1 : 0;
