import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName, Stack } from '#deploy/local/stack.ts';
import type { Random } from './random.ts';

/** What is killed, in the order of the first round. */
export const victims = ['worker', 'api', 'kafka', 'mongo', 'neo4j', 'temporal'] as const satisfies ServiceName[];

export interface Killing {
  service: ServiceName;
  /** How long the service was gone, until it was healthy again. */
  downMs: number;
}

/** Kills each service with SIGKILL, lets the others miss it for a moment, starts it again, and lets the load go on for a while. */
export async function killEach(
  stack: Stack,
  services: readonly ServiceName[],
  rounds: number,
  random: Random,
  onKill: (text: string) => void,
): Promise<Killing[]> {
  const killings: Killing[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const service of round === 0 ? services : random.shuffled(services)) {
      await sleep(3_000 + random.below(3_000));
      const killedAt = Date.now();
      await stack.kill(service, 'SIGKILL');
      await sleep(500 + random.below(3_000));
      await stack.start(service);
      const downMs = Date.now() - killedAt;
      killings.push({ service, downMs });
      onKill(`${service} was killed, and is back after ${(downMs / 1_000).toFixed(1)} s`);
    }
  }
  await sleep(3_000);
  return killings;
}
