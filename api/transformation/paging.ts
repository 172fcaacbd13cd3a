import { z } from 'zod';
import { limits } from '#domain/limits.ts';
import { InvalidInput } from '../http/invalid-input.ts';

const wholeNumber = `must be a whole number from 1 to ${limits.pageSize}`;

/** The query parameter that says how much one page may hold. */
export function pageLimit(description: string) {
  return z
    .string()
    .regex(/^\d{1,9}$/, wholeNumber)
    .transform(Number)
    .pipe(z.int().min(1, wholeNumber).max(limits.pageSize, wholeNumber))
    .default(limits.defaultPageSize)
    .meta({ description });
}

/** An opaque place in a list: whatever `kind` of list it is, and the key of its last item. */
export function cursorOf(kind: string, key: string): string {
  return Buffer.from(`${kind}:${key}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link cursorOf} made for such a list. */
export function parseCursor(kind: string, cursor: string, form: RegExp): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const key = text.slice(kind.length + 1);
  if (text.startsWith(`${kind}:`) && form.test(key)) return key;
  const detail = 'must be a next_cursor of an earlier answer';
  throw new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}
