import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import type { RecordStatus } from '#platform/mongo/records.ts';

/** An entity as `GET /metadata/{id}` shows it. */
export function entityView(entity: Entity) {
  return {
    metadata_id: entity.entity_id,
    entity_id: entity.entity_id,
    entity_type: entity.entity_type,
    tenant_id: entity.tenant_id,
    qualified_name: entity.qualified_name,
    attributes: entity.attributes,
    parent: entity.parent,
    upstream: entity.upstream,
    downstream: entity.downstream,
    relationships: entity.relationships,
    statistics: entity.statistics,
    source_id: entity.source_id,
    version: entity.version,
    created_at: entity.created_at.toISOString(),
    updated_at: entity.updated_at.toISOString(),
  };
}

/** An entity as it was in one version. Statistics are not versioned, so they are absent. */
export function pastEntityView(version: EntityVersion, createdAt: Date) {
  return {
    ...contentView(version),
    created_at: createdAt.toISOString(),
    updated_at: version.valid_from.toISOString(),
    valid_from: version.valid_from.toISOString(),
    valid_to: version.valid_to?.toISOString() ?? null,
    is_current: version.is_current,
  };
}

/** One entry of an entity's history. */
export function versionView(version: EntityVersion) {
  return {
    ...contentView(version),
    change: version.change,
    changed_fields: version.changed_fields,
    valid_from: version.valid_from.toISOString(),
    valid_to: version.valid_to?.toISOString() ?? null,
    is_current: version.is_current,
    actor: version.actor,
    record_id: version.record_id,
  };
}

function contentView(version: EntityVersion) {
  return {
    metadata_id: version.entity_id,
    entity_id: version.entity_id,
    entity_type: version.entity_type,
    tenant_id: version.tenant_id,
    qualified_name: version.qualified_name,
    attributes: version.attributes,
    parent: version.parent,
    upstream: version.upstream,
    downstream: version.downstream,
    relationships: version.relationships,
    version: version.version,
  };
}

/** Where a record is. */
export function recordView(record: RecordStatus) {
  return { ...record, received_at: record.received_at.toISOString() };
}
