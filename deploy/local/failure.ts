/**
 * A failure that the person at the keyboard can act on: `message` is one plain sentence that says what is wrong and
 * what to do. Commands print the sentence alone; `LILY_DEBUG=1` adds the stack trace.
 */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** The sentence to print for anything thrown. */
export function describeFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Prints a failure to stderr as one sentence (with `LILY_DEBUG=1`, with its trace) and sets exit code 1. */
export function reportFailure(error: unknown): void {
  const debug = process.env['LILY_DEBUG'] === '1';
  const text = debug && error instanceof Error ? (error.stack ?? error.message) : describeFailure(error);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
}
