import { ApplicationFailure } from '@temporalio/common';
import { LilyError, type ErrorCode } from '#domain/errors.ts';
import { PermanentSourceError } from './permanent-source-error.ts';

/** Codes that trying again cannot mend. A source that does not answer is not among them: it may be restarting. */
const permanentCodes: readonly ErrorCode[] = ['source-refused', 'invalid-input', 'not-found', 'forbidden'];

/** The error as Temporal is told: its type is a code of the catalogue, and says whether to try again. */
export function asFailure(error: unknown): unknown {
  if (error instanceof LilyError) {
    const nonRetryable = error instanceof PermanentSourceError || permanentCodes.includes(error.code);
    return ApplicationFailure.create({ message: error.message, type: error.code, nonRetryable, cause: error });
  }
  if (error instanceof Error && error.name.startsWith('Mongo')) {
    return ApplicationFailure.create({
      message: 'MongoDB is not reachable',
      type: 'unavailable' satisfies ErrorCode,
      cause: error,
    });
  }
  return error;
}
