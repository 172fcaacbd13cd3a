import { ApplicationFailure } from '@temporalio/common';
import { LilyError } from '#domain/errors.ts';

/** The error as Temporal is told. None is for good: people mend addresses, passwords and rights, and the topic goes on. */
export function asFailure(error: unknown): unknown {
  if (!(error instanceof LilyError)) return error;
  return ApplicationFailure.create({ message: error.message, type: error.code, nonRetryable: false, cause: error });
}
