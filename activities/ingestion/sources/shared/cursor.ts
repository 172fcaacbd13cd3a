import type { z } from 'zod';
import { LilyError } from '#domain/errors.ts';

/** Cursors as text that is opaque to everybody but the source. */
export function encodeCursor(cursor: object): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

export function decodeCursor<Cursor>(text: string, schema: z.ZodType<Cursor>): Cursor {
  try {
    return schema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new LilyError('invalid-input', 'The cursor was not made by this source.', { cause });
  }
}
