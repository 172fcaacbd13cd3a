import { openStack } from '#deploy/local/stack.ts';

/** Gives tests the environment of the stack that is up: the runner's, or with Vitest alone that of `LILY_STACK` or `test`. */
export function setup(): void {
  if (process.env['LILY_MONGO_URL'] !== undefined) return;
  const stack = openStack(process.env['LILY_STACK'] ?? 'test');
  Object.assign(process.env, stack.env, { LILY_STACK: stack.name });
}
