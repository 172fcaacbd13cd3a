import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * What tells one process from a later one that was given the same pid: the machine's boot and the moment within it at
 * which the process started.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

const HAS_PROC = existsSync('/proc/self/stat');

/** Identifies a live process; undefined when there is none, or when it is a zombie waiting for its parent. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  if (HAS_PROC) {
    const stat = readStat(pid);
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
    return { pid, startedAt: `${bootId()}/${stat.startTicks}` };
  }
  try {
    const startedAt = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return startedAt === '' ? undefined : { pid, startedAt };
  } catch {
    return undefined;
  }
}

/** Whether the very process that was recorded is still running (a reused pid does not count). */
export function isSameProcess(recorded: ProcessIdentity): boolean {
  return identifyProcess(recorded.pid)?.startedAt === recorded.startedAt;
}

/** Whether anything still runs in a process group. */
export function isGroupAlive(groupId: number): boolean {
  if (HAS_PROC) {
    return readdirSync('/proc').some((entry) => {
      if (!/^\d+$/.test(entry)) return false;
      const stat = readStat(Number(entry));
      return stat !== undefined && stat.group === groupId && stat.state !== 'Z' && stat.state !== 'X';
    });
  }
  try {
    process.kill(-groupId, 0);
    return true;
  } catch {
    return false;
  }
}

interface Stat {
  readonly state: string;
  readonly group: number;
  readonly startTicks: string;
}

/**
 * Parses `/proc/<pid>/stat`. The second field is the program's name in parentheses and may itself hold spaces and
 * parentheses, so the fields are counted from the last `)`.
 */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , group] = fields;
  const startTicks = fields[19];
  if (state === undefined || group === undefined || startTicks === undefined) return undefined;
  return { state, group: Number(group), startTicks };
}

function readStat(pid: number): Stat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown-boot';
  }
}
