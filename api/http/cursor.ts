import { InvalidInput } from './invalid-input.ts';

/** An opaque place in a list of versions: everything before the version. */
export function versionCursor(before: number): string {
  return Buffer.from(`v1:${before}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link versionCursor} made. */
export function parseVersionCursor(cursor: string): number {
  const digits = /^v1:([1-9]\d{0,9})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (digits === undefined) throw foreignCursor();
  return Number(digits);
}

/** A place in the list of entities: everything behind this type and name. */
export interface EntityPlace {
  entityType: string;
  qualifiedName: string;
}

/** An opaque place in the list of entities. */
export function entityCursor({ entityType, qualifiedName }: EntityPlace): string {
  return Buffer.from(`e1:${entityType}\u0000${qualifiedName}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link entityCursor} made. */
export function parseEntityCursor(cursor: string): EntityPlace {
  const parts = /^e1:([^\u0000]+)\u0000([^\u0000]+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  const [, entityType, qualifiedName] = parts ?? [];
  if (entityType === undefined || qualifiedName === undefined) throw foreignCursor();
  return { entityType, qualifiedName };
}

function foreignCursor(): InvalidInput {
  const detail = 'must be a next_cursor of an earlier answer';
  return new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}
