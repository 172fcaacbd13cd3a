import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../failure.ts';
import { identifyProcess, isGroupAlive, isSameProcess } from './process-identity.ts';
import { readRunFile, removeRunFile, writeRunFile, type RunRecord } from './run-file.ts';

/** How to start one process of a stack. */
export interface LaunchPlan {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

const LOG_ROTATE_BYTES = 20_000_000;
const POLL_MS = 25;

/**
 * Starts a process in a group of its own, so that it outlives this one and can be ended with all its children.
 *
 * @throws {StackError} when the program cannot be started at all.
 */
export async function launch(plan: LaunchPlan, runFile: string, logFile: string): Promise<RunRecord> {
  mkdirSync(dirname(logFile), { recursive: true });
  mkdirSync(plan.cwd, { recursive: true });
  if (existsSync(logFile) && statSync(logFile).size > LOG_ROTATE_BYTES) renameSync(logFile, `${logFile}.1`);
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: { ...process.env, ...plan.env },
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new StackError(`${plan.command} cannot be started: ${error.message}.`)));
    });
    child.unref();
    const pid = child.pid ?? 0;
    const identity = identifyProcess(pid) ?? { pid, startedAt: 'ended-at-once' };
    writeRunFile(runFile, identity, [plan.command, ...plan.args].join(' '));
    return { ...identity, command: plan.command };
  } finally {
    closeSync(log);
  }
}

/**
 * Signals the recorded process with its whole group and waits until all of it is gone.
 * Does nothing when the record is missing or its process has ended; never touches a pid that was reused.
 *
 * @returns whether everything is gone; `false` only when `timeoutMs` passed first.
 */
export async function signalAndWait(runFile: string, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
  const record = readRunFile(runFile);
  if (record === undefined) {
    removeRunFile(runFile);
    return true;
  }
  // A leader that died may leave children in its group. While any of them lives the kernel cannot hand out its pid again.
  const leaderReused = !isSameProcess(record) && identifyProcess(record.pid) !== undefined;
  if (!leaderReused && isGroupAlive(record.pid)) {
    trySignal(-record.pid, signal);
    const deadline = Date.now() + timeoutMs;
    while (isGroupAlive(record.pid)) {
      if (Date.now() > deadline) return false;
      await sleep(POLL_MS);
    }
  }
  removeRunFile(runFile);
  return true;
}

/** Ends a recorded process: SIGTERM, and SIGKILL for what is left after `graceMs`. */
export async function stopProcess(runFile: string, graceMs: number): Promise<void> {
  if (await signalAndWait(runFile, 'SIGTERM', graceMs)) return;
  if (await signalAndWait(runFile, 'SIGKILL', 10_000)) return;
  throw new StackError(`The process ${readRunFile(runFile)?.pid ?? ''} does not end, even when killed.`);
}

/** The end of a log, for a message about a process that did not come up. */
export function tailOfLog(file: string, lines = 12): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
