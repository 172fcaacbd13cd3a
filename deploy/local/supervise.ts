import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeFailure, StackError } from './failure.ts';
import { CHECKOUT } from './paths.ts';
import { launch, signalAndWait, stopProcess, tailOfLog } from './process/lifecycle.ts';
import { readLiveProcess, readRunFile } from './process/run-file.ts';
import type { TaskProgress } from './progress.ts';
import { SERVICES } from './services/index.ts';
import { SERVICE_NAMES, type ServiceName, type StackContext } from './services/service.ts';

const POLL_MS = 100;
const KILL_TIMEOUT_MS = 15_000;

/** How a service is at one moment. */
export interface ServiceStatus {
  readonly name: ServiceName;
  readonly pid: number | null;
  readonly address: string;
  readonly health: 'healthy' | 'unhealthy' | 'stopped';
}

export function runFileOf(context: StackContext, name: ServiceName): string {
  return join(context.paths.run, `${name}.json`);
}

export function logFileOf(context: StackContext, name: string): string {
  return join(context.paths.logs, `${name}.log`);
}

/** Whether a service's program is there at all; Lily's own processes are written one after another. */
export function isAvailable(name: ServiceName): boolean {
  const { entry } = SERVICES[name];
  return entry === undefined || existsSync(join(CHECKOUT, entry));
}

export function livePid(context: StackContext, name: ServiceName): number | undefined {
  return readLiveProcess(runFileOf(context, name))?.pid;
}

/** Starts a service unless it runs, and waits until it does its work. What it runs must have been provisioned. */
export async function startService(context: StackContext, name: ServiceName, progress: TaskProgress): Promise<void> {
  const service = SERVICES[name];
  if (livePid(context, name) === undefined) {
    // Children of a service that was killed may still hold its port or its data.
    await signalAndWait(runFileOf(context, name), 'SIGKILL', KILL_TIMEOUT_MS);
    const plan = await service.plan(context, progress);
    progress.running('starts');
    await launch(plan, runFileOf(context, name), logFileOf(context, name));
  }
  await waitHealthy(context, name, service.startTimeoutMs);
}

/**
 * Waits until a service that was started answers.
 *
 * @throws {StackError} when it ends or when `timeoutMs` passes first, with the end of its log.
 */
export async function waitHealthy(context: StackContext, name: ServiceName, timeoutMs?: number): Promise<void> {
  const service = SERVICES[name];
  const limitMs = timeoutMs ?? service.startTimeoutMs;
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      await service.settle?.(context);
      await service.check(context);
      return;
    } catch (error) {
      if (livePid(context, name) === undefined) throw endedEarly(context, name);
      if (Date.now() > deadline) {
        throw new StackError(
          `${service.title} did not become healthy within ${Math.round(limitMs / 1000)} s (${describeFailure(error)}); its log is ${logName(context, name)}.`,
        );
      }
      await sleep(POLL_MS);
    }
  }
}

/** Signals a service with its children and waits until they are gone. */
export async function killService(context: StackContext, name: ServiceName, signal: NodeJS.Signals): Promise<void> {
  const gone = await signalAndWait(runFileOf(context, name), signal, KILL_TIMEOUT_MS);
  if (!gone)
    throw new StackError(`${SERVICES[name].title} is still there ${KILL_TIMEOUT_MS / 1000} s after ${signal}.`);
}

/** Ends every recorded process of a stack: Lily's own first, then the servers. Returns the names of those that ran. */
export async function stopAll(context: StackContext, onStop: (name: ServiceName) => void): Promise<ServiceName[]> {
  const recorded = SERVICE_NAMES.filter((name) => readRunFile(runFileOf(context, name)) !== undefined);
  const own: readonly ServiceName[] = ['api', 'worker'];
  const stop = async (name: ServiceName): Promise<void> => {
    await stopProcess(runFileOf(context, name), SERVICES[name].graceMs);
    onStop(name);
  };
  await Promise.all(recorded.filter((name) => own.includes(name)).map(stop));
  await Promise.all(recorded.filter((name) => !own.includes(name)).map(stop));
  return recorded;
}

/** Looks at every service that exists or that ran. */
export async function readStatus(context: StackContext): Promise<ServiceStatus[]> {
  const names = SERVICE_NAMES.filter((name) => isAvailable(name) || readRunFile(runFileOf(context, name)));
  return Promise.all(names.map((name) => readServiceStatus(context, name)));
}

export async function readServiceStatus(context: StackContext, name: ServiceName): Promise<ServiceStatus> {
  const pid = livePid(context, name) ?? null;
  const address = SERVICES[name].address(context);
  if (pid === null) return { name, pid, address, health: 'stopped' };
  const healthy = await SERVICES[name].check(context).then(
    () => true,
    () => false,
  );
  return { name, pid, address, health: healthy ? 'healthy' : 'unhealthy' };
}

function endedEarly(context: StackContext, name: ServiceName): StackError {
  const tail = tailOfLog(logFileOf(context, name));
  const log = tail === '' ? 'is empty' : `ends:\n${tail}`;
  return new StackError(
    `${SERVICES[name].title} ended while it was starting; its log ${logName(context, name)} ${log}`,
  );
}

function logName(context: StackContext, name: ServiceName): string {
  return relative(CHECKOUT, logFileOf(context, name));
}
