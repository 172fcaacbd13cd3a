import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isSameProcess, type ProcessIdentity } from './process-identity.ts';

export interface LockOptions {
  /** Called once when another process holds the lock. */
  readonly onWait?: (holderPid: number) => void;
  readonly pollMs?: number;
}

/**
 * Runs `work` while holding a lock file, so that two commands at once do not do the same work twice.
 * A lock whose holder has died is taken over. Waits as long as the holder lives.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!tryAcquire(file)) {
    const holder = readLock(file);
    if (holder !== undefined && isSameProcess(holder)) {
      if (!told) options.onWait?.(holder.pid);
      told = true;
      await sleep(options.pollMs ?? 200);
    } else {
      discardStale(file, holder);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** Who holds a lock file; undefined when it is missing or unreadable. */
export function readLock(file: string): ProcessIdentity | undefined {
  try {
    return parseLock(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Parses a lock file's content: `<pid> <start of the process>`. */
export function parseLock(text: string): ProcessIdentity | undefined {
  const match = /^(\d+) (\S.*)\n$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { pid: Number(match[1]), startedAt: match[2] };
}

/** A hard link appears whole or not at all, so nobody ever reads a half-written lock. */
function tryAcquire(file: string): boolean {
  const self = identifyProcess(process.pid);
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, `${process.pid} ${self?.startedAt ?? 'unknown'}\n`);
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Moves a dead holder's lock aside; if somebody else's fresh lock was moved by mistake, it is put back. */
function discardStale(file: string, judged: ProcessIdentity | undefined): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const moved = readLock(aside);
  if (moved !== undefined && moved.startedAt !== judged?.startedAt && isSameProcess(moved)) {
    try {
      linkSync(aside, file);
    } catch {
      // Somebody took the lock in between; the holder that was moved loses it, and both will find the work done.
    }
  }
  rmSync(aside, { force: true });
}
