import type { ValueKind } from './field-tree.ts';

/** What a value that JSON.parse gave is. */
export function jsonKind(value: unknown): ValueKind {
  if (value === null) return { type: 'null' };
  if (Array.isArray(value)) return { type: 'array', items: value };
  if (typeof value === 'object') return { type: 'object', members: Object.entries(value) };
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'integer' : 'number' };
  return { type: typeof value };
}
