import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';

/** The failure at the bottom of what Temporal wraps around it. */
function rootOf(error: unknown): unknown {
  const wraps = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  return wraps && error.cause !== undefined ? rootOf(error.cause) : error;
}

/** The code of Lily's catalogue that a failure carries; `internal` when it carries none. */
export function failureCode(error: unknown): ErrorCode {
  const root = rootOf(error);
  if (root instanceof ApplicationFailure && root.type != null && root.type in errorCatalogue)
    return root.type as ErrorCode;
  return 'internal';
}

/** One sentence for people about what went wrong. */
export function failureReason(error: unknown): string {
  const root = rootOf(error);
  if (root instanceof TimeoutFailure) return 'A step of the run took too long, again and again.';
  if (error instanceof ChildWorkflowFailure) return `A page could not be applied: ${messageOf(root)}`;
  return messageOf(root);
}

function messageOf(error: unknown): string {
  if (error instanceof TemporalFailure || error instanceof Error) return error.message;
  return String(error);
}
