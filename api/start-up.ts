import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '#platform/logger.ts';
import { bareApp, ended } from './app.ts';
import type { Readiness } from './operations/readiness.ts';
import { operationsRouter } from './operations/router.ts';

const firstPauseMs = 250;
const longestPauseMs = 5_000;

/** Tries until it works or the signal says to stop. Servers come up in any order, and the API waits for each. */
export async function persistently<T>(
  what: string,
  attempt: () => Promise<T>,
  logger: Logger,
  signal: AbortSignal,
): Promise<T> {
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ dependency: what, reason, retry_in_ms: pause }, `${what} is not reachable yet`);
      await sleep(pause, undefined, { signal });
    }
  }
}

/** What answers while the servers behind Lily are still being waited for: its health, and that it will be there soon. */
export function waitingApp(readiness: () => Promise<Readiness>, logger: Logger): Express {
  const app = bareApp();
  app.use(operationsRouter(readiness));
  app.use(() => {
    throw new LilyError('unavailable', 'Lily is starting; /readyz says what it waits for');
  });
  return ended(app, logger);
}
