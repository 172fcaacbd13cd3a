import { InvalidInput } from '../http/invalid-input.ts';

const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether the text has the form of an incident's id (a UUID of version 7, lower case). */
export function isIncidentId(text: string): boolean {
  return idPattern.test(text);
}

/** An opaque place in the list of incidents: everything that was opened before this one. */
export function incidentCursor(incidentId: string): string {
  return Buffer.from(`i1:${incidentId}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link incidentCursor} made. */
export function parseIncidentCursor(cursor: string): string {
  const [version, id = ''] = Buffer.from(cursor, 'base64url').toString().split(':');
  if (version === 'i1' && isIncidentId(id)) return id;
  throw foreignCursor();
}

/** An opaque place in an incident's story: everything before this line. */
export function entryCursor(seq: number): string {
  return Buffer.from(`t1:${seq}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link entryCursor} made. */
export function parseEntryCursor(cursor: string): number {
  const digits = /^t1:([1-9]\d{0,7})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (digits === undefined) throw foreignCursor();
  return Number(digits);
}

function foreignCursor(): InvalidInput {
  const detail = 'must be a next_cursor of an earlier answer';
  return new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}
