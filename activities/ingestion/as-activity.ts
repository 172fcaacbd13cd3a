import { Context } from '@temporalio/activity';
import { asFailure } from './failures.ts';

/** What an attempt tells the next one. */
export interface Progress {
  pages: number;
}

const heartbeatMs = 3_000;

/** Shows Temporal that the worker is alive, and turns errors into what Temporal understands. */
export async function asActivity<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const context = Context.current();
  const before = context.info.heartbeatDetails as Progress | undefined;
  const progress: Progress = { pages: before?.pages ?? 0 };
  context.heartbeat(progress);
  const timer = setInterval(() => context.heartbeat(progress), heartbeatMs);
  try {
    return await work(progress);
  } catch (error) {
    throw asFailure(error);
  } finally {
    clearInterval(timer);
  }
}
