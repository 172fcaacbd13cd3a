import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const ticksPerSecond = 100;

/** Where the processors were over a stretch of time, in percent of one processor. */
export interface CpuShares {
  byProcess: Record<string, number>;
  /** All that the machine did, ours and others'. */
  machine: number;
  processors: number;
}

interface Sample {
  at: number;
  byProcess: Record<string, number>;
  machine: number;
}

/** Says what share of the processors each process took, from /proc. Where there is none, it says nothing. */
export class CpuMeter {
  readonly #pids: Readonly<Record<string, number>>;
  #start: Sample;

  constructor(pids: Readonly<Record<string, number>>) {
    this.#pids = pids;
    this.#start = this.#sample();
  }

  restart(): void {
    this.#start = this.#sample();
  }

  shares(): CpuShares {
    const end = this.#sample();
    const seconds = Math.max(0.001, (end.at - this.#start.at) / 1_000);
    const percent = (ticks: number): number => Math.round((ticks / ticksPerSecond / seconds) * 100);
    const byProcess: Record<string, number> = {};
    for (const [name, ticks] of Object.entries(end.byProcess)) {
      byProcess[name] = percent(ticks - (this.#start.byProcess[name] ?? ticks));
    }
    return { byProcess, machine: percent(end.machine - this.#start.machine), processors: availableParallelism() };
  }

  #sample(): Sample {
    const byProcess: Record<string, number> = {};
    for (const [name, pid] of Object.entries(this.#pids)) byProcess[name] = ticksOf(pid);
    return { at: performance.now(), byProcess, machine: machineTicks() };
  }
}

/** Names the processes that took most, and how busy the machine was. */
export function sharesText({ byProcess, machine, processors }: CpuShares): string {
  const own = Object.entries(byProcess).filter(([, share]) => share >= 3);
  const list = own.sort(([, a], [, b]) => b - a).map(([name, share]) => `${name} ${share} %`);
  const others = machine - Object.values(byProcess).reduce((sum, share) => sum + share, 0);
  if (others >= 5) list.push(`others ${others} %`);
  const busy = Math.round(machine / processors);
  const word = busy >= 90 ? 'CPU: all processors are busy' : `CPU: ${busy} % of ${processors} processors busy`;
  return `${word} (${list.join(', ')})`;
}

/** What one unit costs in milliseconds of processor time, by process: it hardly depends on what else the machine does. */
export function costText({ byProcess }: CpuShares, unitsPerSecond: number): string {
  const cost = (share: number): number => (share * 10) / unitsPerSecond;
  const total = cost(Object.values(byProcess).reduce((sum, share) => sum + share, 0));
  const most = Object.entries(byProcess)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 4);
  return `${total.toFixed(2)} ms of CPU each (${most.map(([name, share]) => `${name} ${cost(share).toFixed(2)}`).join(', ')})`;
}

function ticksOf(pid: number): number {
  const fields = procText(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function machineTicks(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (procText('/proc/stat').split('\n')[0] ?? '')
    .split(/\s+/)
    .map(Number);
  return user + nice + system + irq + softirq;
}

function procText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
