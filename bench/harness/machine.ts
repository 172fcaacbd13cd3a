import { cpus, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { CpuMeter } from './cpu.ts';

export interface Machine {
  processors: string;
  memoryGb: number;
  kernel: string;
  node: string;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    processors: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
  };
}

/** How busy the machine is, in percent of all processors, while the bench does nothing. */
export async function idleShare(): Promise<number> {
  const meter = new CpuMeter({});
  await sleep(2_000);
  const { machine, processors } = meter.shares();
  return Math.round(machine / processors);
}
