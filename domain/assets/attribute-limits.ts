import type { z } from 'zod';
import { limits } from '../limits.ts';

/** Keys that JavaScript gives a meaning of its own; an object that carries one cannot be copied faithfully. */
const refusedKeys = new Set(['__proto__']);

interface Carrier {
  attributes?: unknown;
  statistics?: unknown;
}

/**
 * Checks what a schema of known fields cannot: depth, size and keys of free-form attributes.
 * Keys with `$` and `.` are legal, and kept; a NUL inside a key is not, because MongoDB cannot hold it.
 */
export function checkAttributes(value: Carrier, context: z.RefinementCtx): void {
  for (const field of ['attributes', 'statistics'] as const) {
    const fault = findFault(value[field]);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: [field, ...fault.path], message: fault.message });
  }
}

export interface Fault {
  path: string[];
  message: string;
}

/** Walks without recursion, so that a deeply nested body is a clear answer and not a stack overflow. */
export function findFault(root: unknown): Fault | undefined {
  const stack: { value: unknown; depth: number; path: string[] }[] = [{ value: root, depth: 1, path: [] }];
  let nodes = 0;
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { value, depth, path } = item;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > limits.attributeDepth) {
      return { path: path.slice(0, 3), message: `is nested deeper than ${limits.attributeDepth} levels` };
    }
    for (const key of Object.keys(value)) {
      if (++nodes > limits.attributeNodes) {
        return { path: [], message: `has more than ${limits.attributeNodes} keys and items` };
      }
      if (refusedKeys.has(key)) return { path: [...path, key], message: `the key ${key} is not allowed` };
      if (key.includes('\u0000')) return { path, message: 'a key contains the NUL character (U+0000)' };
      const child = (value as Record<string, unknown>)[key];
      if (typeof child === 'object' && child !== null)
        stack.push({ value: child, depth: depth + 1, path: [...path, key] });
    }
  }
  return undefined;
}
