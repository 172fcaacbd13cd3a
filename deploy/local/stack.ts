import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bringUp } from './bring-up.ts';
import { loadContext } from './context.ts';
import { stackAddresses, type StackAddresses } from './environment.ts';
import { stackPaths } from './paths.ts';
import { parseStackName, type StackName } from './ports.ts';
import { withFileLock } from './process/file-lock.ts';
import { readLiveProcess } from './process/run-file.ts';
import { taskProgress, type OnProgress } from './progress.ts';
import { SERVICE_NAMES, type ServiceName, type StackContext, type StepName } from './services/service.ts';
import { killService, readServiceStatus, readStatus, startService, stopAll, waitHealthy } from './supervise.ts';
import type { ServiceStatus } from './supervise.ts';

export type { OnProgress, ServiceName, ServiceStatus, StackAddresses, StackName, StepName };

export interface UpOptions {
  /** What to bring up; by default {@link defaultSteps}. */
  readonly services?: readonly StepName[];
  readonly onProgress?: OnProgress | undefined;
}

/** One set of genuine servers with Lily on them, on ports and folders of its own. */
export interface Stack {
  readonly name: StackName;
  /** Every `LILY_*` variable that a process of ours needs to work on this stack. */
  readonly env: Readonly<Record<string, string>>;
  readonly addresses: StackAddresses;
  readonly context: StackContext;
  /** Fetches, starts and waits until everything is healthy. What runs already is left alone. */
  up(options?: UpOptions): Promise<void>;
  /** Ends every process of the stack; returns the names of those that ran. */
  down(onProgress?: OnProgress): Promise<ServiceName[]>;
  /** `down`, and deletes all data, logs and secrets. The stack must be opened anew afterwards. */
  reset(onProgress?: OnProgress): Promise<void>;
  /** Starts one service unless it runs, and waits until it is healthy. It must have been up before. */
  start(service: ServiceName): Promise<void>;
  /** Signals one service with its children, and waits until they are gone. */
  kill(service: ServiceName, signal?: NodeJS.Signals): Promise<void>;
  waitHealthy(service: ServiceName, timeoutMs?: number): Promise<void>;
  status(): Promise<ServiceStatus[]>;
  statusOf(service: ServiceName): Promise<ServiceStatus>;
}

/** Opens a stack by name, which by itself starts nothing. */
export function openStack(name: string = process.env['LILY_STACK'] ?? 'dev'): Stack {
  const context = loadContext(parseStackName(name));
  const silent: OnProgress = () => {};
  const exclusively = <T>(work: () => Promise<T>, onProgress: OnProgress): Promise<T> =>
    withFileLock(context.paths.lock, work, {
      onWait: (pid) =>
        taskProgress('stack', onProgress).notice(`waits for process ${pid}, which starts or ends the same stack`),
    });
  return {
    name: context.name,
    env: context.env,
    addresses: stackAddresses(context),
    context,
    up: ({ services = defaultSteps(context.name), onProgress = silent } = {}) =>
      exclusively(() => bringUp(context, services, onProgress), onProgress),
    down: (onProgress = silent) => exclusively(() => bringDown(context, onProgress), onProgress),
    reset: (onProgress = silent) =>
      exclusively(async () => {
        await bringDown(context, onProgress);
        rmSync(context.paths.root, { recursive: true, force: true, maxRetries: 3 });
      }, onProgress),
    start: (service) => startService(context, service, taskProgress(service, silent)),
    kill: (service, signal = 'SIGKILL') => killService(context, service, signal),
    waitHealthy: (service, timeoutMs) => waitHealthy(context, service, timeoutMs),
    status: () => readStatus(context),
    statusOf: (service) => readServiceStatus(context, service),
  };
}

/** What `up` brings about when nothing is named: everything; the demo's warehouse only where somebody will look at it. */
export function defaultSteps(stack: StackName): StepName[] {
  const services = SERVICE_NAMES.filter((name) => name !== 'warehouse' || stack === 'dev');
  return [...services, 'setup'];
}

/** Whether any process of a stack runs. Leaves no trace of a stack that was never opened. */
export function isStackUp(name: StackName): boolean {
  const { run } = stackPaths(name);
  return existsSync(run) && readdirSync(run).some((file) => readLiveProcess(join(run, file)) !== undefined);
}

async function bringDown(context: StackContext, onProgress: OnProgress): Promise<ServiceName[]> {
  return stopAll(context, (name) => taskProgress(name, onProgress).done('ended'));
}
