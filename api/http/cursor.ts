import { InvalidInput } from './invalid-input.ts';

/** An opaque place in a list of versions: everything before the version. */
export function versionCursor(before: number): string {
  return Buffer.from(`v1:${before}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link versionCursor} made. */
export function parseVersionCursor(cursor: string): number {
  const digits = /^v1:([1-9]\d{0,9})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (digits === undefined) {
    const detail = 'must be a next_cursor of an earlier answer';
    throw new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
  }
  return Number(digits);
}
