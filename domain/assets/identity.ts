import type { EntityRef } from './entity.ts';

/**
 * The text an entity's id is the digest of. The same tenant, type and qualified name always give the same id,
 * so a retry or a second crawl never makes a twin. NUL separates the parts because none of them may contain it.
 */
export function identityKey(tenantId: string, entityType: string, qualifiedName: string): string {
  return `${tenantId}\u0000${entityType}\u0000${qualifiedName}`;
}

/** The qualified name of an entity whose caller gave none: it follows from its parent and its name. */
export function defaultQualifiedName(name: string, parent: EntityRef | undefined): string {
  if (parent === undefined) return name;
  return `${'metadata_id' in parent ? parent.metadata_id : parent.qualified_name}.${name}`;
}

const metadataIdPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether the text has the form of a metadata id (a UUID of version 8, lower case). */
export function isMetadataId(text: string): boolean {
  return metadataIdPattern.test(text);
}
