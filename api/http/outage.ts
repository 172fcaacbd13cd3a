import { LilyError } from '#domain/errors.ts';

/** Longest that a request waits for one of the servers behind Lily. */
export const dependencyTimeoutMs = 5_000;

/**
 * Which server an error of a driver says is out of reach, if it says so. By name and code, so that the API stays free of
 * the drivers themselves.
 */
export function outageOf(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const found = outageNamed(cause);
    if (found !== undefined) return found;
  }
  return undefined;
}

const mongoOutage =
  /^Mongo(ServerSelection|Network|NetworkTimeout|NotConnected|PoolCleared|PoolClosed|WaitQueueTimeout|OperationTimeout|TopologyClosed|ServerClosed|ConnectionPool\w*)\w*Error$/;
const mongoOutageCodes = new Set([6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
/** DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE. */
const grpcOutageCodes = new Set([4, 8, 14]);
const kafkaRefusals = new Set(['KafkaJSNonRetriableError', 'KafkaJSMessageTooLarge', 'KafkaJSSASLAuthenticationError']);

function outageNamed(error: Error): string | undefined {
  const code = (error as { code?: unknown }).code;
  if (mongoOutage.test(error.name)) return 'MongoDB';
  if (error.name.startsWith('Mongo') && typeof code === 'number' && mongoOutageCodes.has(code)) return 'MongoDB';
  if (error.name.startsWith('KafkaJS') && !kafkaRefusals.has(error.name)) return 'Kafka';
  if (error.name === 'Neo4jError' && isNeo4jOutage(code)) return 'Neo4j';
  if (typeof code === 'number' && grpcOutageCodes.has(code) && 'details' in error) return 'Temporal';
  return undefined;
}

function isNeo4jOutage(code: unknown): boolean {
  if (typeof code !== 'string') return false;
  return code === 'ServiceUnavailable' || code === 'SessionExpired' || code.startsWith('Neo.TransientError.');
}

/** The error as the API answers it: an outage becomes `unavailable`, everything else stays. */
export function withOutageNamed(error: unknown): unknown {
  if (error instanceof LilyError) return error;
  const server = outageOf(error);
  return server === undefined ? error : unavailable(server, error);
}

function unavailable(server: string, cause?: unknown): LilyError {
  return new LilyError('unavailable', `${server} is not reachable right now. Nothing is lost; try again shortly.`, {
    cause,
  });
}

/**
 * The work's result, or an `unavailable` error when it takes longer than a request may wait.
 * The work itself is not cancelled, so it must be safe to end later unseen.
 */
export async function inTime<T>(server: string, work: Promise<T>, timeoutMs = dependencyTimeoutMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(server)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw withOutageNamed(error);
  } finally {
    clearTimeout(timer);
  }
}
