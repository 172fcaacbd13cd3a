import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { readOffset, rememberPorts } from './context.ts';
import { describeFailure, StackError } from './failure.ts';
import { CHECKOUT, NODE } from './paths.ts';
import { planPorts } from './ports.ts';
import { signalAndWait } from './process/lifecycle.ts';
import { requireFreePorts } from './process/port-check.ts';
import { taskProgress, type OnProgress } from './progress.ts';
import { runCommand } from './provision/command.ts';
import { requireTool } from './provision/tools.ts';
import { SERVICES } from './services/index.ts';
import { SETUP_ENTRY } from './services/own-processes.ts';
import { SERVICE_NAMES, type ServiceName, type StackContext, type StepName } from './services/service.ts';
import { isAvailable, livePid, logFileOf, runFileOf, startService, waitHealthy } from './supervise.ts';

/** A live service gets this long to prove itself before it is started anew. */
const RECHECK_MS = 20_000;

/**
 * Brings the steps about: fetches what is missing, starts what does not run, and waits until all of it is healthy.
 * Independent services start side by side, each as soon as it was fetched. What runs well is left alone.
 *
 * @throws {StackError} before anything is started, when a tool is missing or a port is taken; afterwards, when a
 * service does not come up. What did come up stays, so that a second `up` goes on from there.
 */
export async function bringUp(
  context: StackContext,
  wanted: readonly StepName[],
  onProgress: OnProgress,
): Promise<void> {
  const steps = wanted.filter((step) => isThere(step, onProgress));
  const services = SERVICE_NAMES.filter((name) => steps.includes(name));
  refuseToMove(context);
  const stopped = await findStopped(context, services);
  await requireTools(stopped);
  await requireFreePorts(
    stopped.flatMap((name) =>
      SERVICES[name].ports.map((port) => ({ port: context.ports[port], purpose: SERVICES[name].title })),
    ),
  );
  rememberPorts(context);

  const underWay = new Map<StepName, Promise<void>>();
  const begin = (step: StepName): Promise<void> => {
    const known = underWay.get(step);
    if (known !== undefined) return known;
    const after = step === 'setup' ? SETUP_AFTER : SERVICES[step].after;
    const before = after.filter((other) => steps.includes(other)).map(begin);
    const work =
      step === 'setup' ? runSetup(context, before, onProgress) : bringUpService(context, step, before, onProgress);
    underWay.set(step, work);
    return work;
  };
  const results = await Promise.allSettled(orderByCost(steps).map(begin));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const first = failures.find((failure) => !(failure instanceof NotReached)) ?? failures[0];
  if (first !== undefined) throw first;
}

/** The servers that `deploy/setup.ts` talks to. */
const SETUP_AFTER: readonly ServiceName[] = ['mongo', 'kafka', 'neo4j', 'temporal'];

/** A step that was not tried because one before it failed. */
class NotReached extends StackError {}

async function bringUpService(
  context: StackContext,
  name: ServiceName,
  before: readonly Promise<void>[],
  onProgress: OnProgress,
): Promise<void> {
  const service = SERVICES[name];
  const progress = taskProgress(name, onProgress);
  try {
    await service.provision?.(progress);
    await waitFor(before, service.title);
    const startedAt = Date.now();
    const known = livePid(context, name);
    if (known !== undefined) {
      const healthy = await waitHealthy(context, name, RECHECK_MS).then(
        () => true,
        () => false,
      );
      if (healthy) {
        progress.done(`runs already (pid ${known})`);
        return;
      }
      progress.running('does not answer, so it is started anew');
      await signalAndWait(runFileOf(context, name), 'SIGKILL', RECHECK_MS);
    }
    await startService(context, name, progress);
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    progress.done(`up at ${service.address(context)} after ${seconds} s (pid ${livePid(context, name) ?? '?'})`);
  } catch (error) {
    onProgress({ task: name, text: firstLine(describeFailure(error)), state: 'failed' });
    throw error;
  }
}

async function runSetup(
  context: StackContext,
  before: readonly Promise<void>[],
  onProgress: OnProgress,
): Promise<void> {
  const progress = taskProgress('setup', onProgress);
  const log = logFileOf(context, 'setup');
  try {
    await waitFor(before, 'The set-up');
    progress.running('creates topics, indexes and constraints');
    mkdirSync(context.paths.logs, { recursive: true });
    const startedAt = Date.now();
    await runCommand(NODE, ['--disable-warning=ExperimentalWarning', join(CHECKOUT, SETUP_ENTRY)], {
      purpose: `The set-up (its log is ${relative(CHECKOUT, log)})`,
      env: context.env,
      onLine: (line) => appendFileSync(log, `${line}\n`),
    });
    progress.done(`topics, indexes and constraints are there after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  } catch (error) {
    onProgress({ task: 'setup', text: firstLine(describeFailure(error)), state: 'failed' });
    throw error;
  }
}

async function waitFor(before: readonly Promise<void>[], title: string): Promise<void> {
  const results = await Promise.allSettled(before);
  if (results.some((result) => result.status === 'rejected')) {
    throw new NotReached(`${title} was not started, because something that it needs did not come up.`);
  }
}

function isThere(step: StepName, onProgress: OnProgress): boolean {
  const entry = step === 'setup' ? SETUP_ENTRY : SERVICES[step].entry;
  const there = step === 'setup' ? existsSync(join(CHECKOUT, SETUP_ENTRY)) : isAvailable(step);
  if (!there) taskProgress(step, onProgress).notice(`left out: ${entry ?? step} does not exist`);
  return there;
}

/** The services that must be started; what a dead one left behind is ended, so that its ports are free. */
async function findStopped(context: StackContext, services: readonly ServiceName[]): Promise<ServiceName[]> {
  const stopped = services.filter((name) => livePid(context, name) === undefined);
  await Promise.all(stopped.map((name) => signalAndWait(runFileOf(context, name), 'SIGKILL', RECHECK_MS)));
  return stopped;
}

async function requireTools(services: readonly ServiceName[]): Promise<void> {
  const tools = (await Promise.all(services.map(async (name) => (await SERVICES[name].tools?.()) ?? []))).flat();
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  for (const tool of byName.values()) await requireTool(tool);
}

/** @throws {StackError} when the stack runs on other ports than those that are asked for now. */
function refuseToMove(context: StackContext): void {
  const running = SERVICE_NAMES.some((name) => livePid(context, name) !== undefined);
  const offset = readOffset(context.paths.settings);
  if (!running || planPorts(context.name, offset).api === context.ports.api) return;
  throw new StackError(
    `The stack ${context.name} already runs with LILY_PORT_OFFSET=${offset}; run "npm run down" before it is moved.`,
  );
}

/** Temporal first: its first build takes minutes, and everything else can be done meanwhile. */
function orderByCost(steps: readonly StepName[]): StepName[] {
  return steps.toSorted((left, right) => Number(right === 'temporal') - Number(left === 'temporal'));
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
