import { lineageTypes } from '#domain/openlineage/names.ts';
import type { PreparedRecord } from '../prepare.ts';

/** The entity whose events state a record: itself or, of a column, its dataset. */
export function eventEntityOf({ entityType, entityId, patch }: PreparedRecord): string {
  return entityType === lineageTypes.column ? (patch?.parent?.metadata_id ?? entityId) : entityId;
}
