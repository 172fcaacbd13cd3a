import { ActivityFailure, ApplicationFailure, isCancellation, log } from '@temporalio/workflow';

type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

type Step<A extends Activities> = <Name extends keyof A & string>(
  name: Name,
  ...args: Parameters<A[Name]>
) => Promise<Awaited<ReturnType<A[Name]>>>;

/**
 * Runs a step as a local activity and, when that fails, as a regular one. A local activity costs no round trip to the
 * server; a regular one shows its attempts and errors in the Web UI and survives any outage (docs/adr/0003).
 */
export function fastThenDurable<A extends Activities>(fast: Activities, durable: Activities): Step<A> {
  return async (name, ...args) => {
    try {
      return (await fast[name]?.(...args)) as never;
    } catch (error) {
      if (isCancellation(error) || isPermanent(error)) throw error;
      log.warn('a step goes on as a regular activity', { step: name, error: String((error as Error).cause ?? error) });
      return (await durable[name]?.(...args)) as never;
    }
  };
}

/** A local activity's failure arrives bare, a regular one's inside an `ActivityFailure`. */
function isPermanent(error: unknown): boolean {
  const failure = error instanceof ActivityFailure ? error.cause : error;
  return failure instanceof ApplicationFailure && failure.nonRetryable === true;
}
