import type { ChangeKind, Entity, EntityContent, EntityVersion, Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import { contentHash } from '#platform/digest.ts';
import { documentBytes } from '#platform/mongo/document-size.ts';
import { hashOf, mergedContent } from './entity-content.ts';
import type { PreparedRecord } from './prepare.ts';

/** What is stored of an entity, as far as its next version depends on it. */
export type Base = Entity;

export interface VersionPlan {
  /** New versions, in the order of their records. */
  versions: PlannedVersion[];
  /** Records that say what is stored already; `facts` when what is not versioned differs all the same. */
  unchanged: { record: PreparedRecord; facts?: UnversionedFacts }[];
  /** Records whose `If-Match` does not hold. */
  mismatched: { record: PreparedRecord; found: number }[];
  /** Merges that would make their entity larger than one may be, and how many bytes it would have. */
  oversized: { record: PreparedRecord; bytes: number }[];
}

/** What an entity carries beside its content: it changes without a version. */
export interface UnversionedFacts {
  /** The version that the facts belong to. */
  version: number;
  statistics?: Record<string, Json>;
  source_id?: string;
}

export interface PlannedVersion {
  version: EntityVersion;
  record: PreparedRecord;
}

/**
 * Decides which records make a new version of their entity, and which version. Pure and deterministic: times come from the
 * records' arrival, so a retry plans the same versions. `bases` is what is stored; it is not changed.
 */
export function planVersions(
  tenantId: string,
  bases: ReadonlyMap<string, Base>,
  records: readonly PreparedRecord[],
): VersionPlan {
  const plan: VersionPlan = { versions: [], unchanged: [], mismatched: [], oversized: [] };
  const now = new Map<string, Base>();
  for (const record of records) {
    const base = now.get(record.entityId) ?? bases.get(record.entityId);
    const living = base !== undefined && !base.deleted ? base.version : 0;
    if (record.expectedVersion !== undefined && record.expectedVersion !== living) {
      plan.mismatched.push({ record, found: living });
      continue;
    }
    const next = contentAfter(base, record);
    const bytes = sizeAfter(base, record, next.content);
    if (bytes > limits.entityBytes) {
      plan.oversized.push({ record, bytes });
      continue;
    }
    const change = changeOf(base, record, next.hash);
    if (change === undefined) {
      const facts = base === undefined ? undefined : differingFacts(base, record);
      plan.unchanged.push(facts === undefined ? { record } : { record, facts });
      if (base !== undefined && facts !== undefined) now.set(record.entityId, { ...base, ...facts });
      continue;
    }
    const planned = nextVersion(tenantId, base, record, next, change);
    plan.versions.push(planned);
    now.set(record.entityId, entityAsOf(planned.version));
  }
  return plan;
}

interface HashedContent {
  content: EntityContent | undefined;
  hash: string;
}

/** What the entity holds after the record; a deletion leaves what was there. */
function contentAfter(base: Base | undefined, record: PreparedRecord): HashedContent {
  if (record.content !== undefined) return { content: record.content, hash: record.contentHash };
  if (record.patch === undefined) return { content: base, hash: base?.content_hash ?? '' };
  const content = mergedContent(base?.deleted === true ? undefined : base, record.patch, record.qualifiedName);
  return { content, hash: hashOf(content) };
}

/** How large a merge makes its entity. Other records are bounded as they come in: nothing adds up. */
function sizeAfter(base: Base | undefined, record: PreparedRecord, content: EntityContent | undefined): number {
  if (record.patch === undefined || content === undefined) return 0;
  return documentBytes({ content: contentOf(content), statistics: statisticsAfter(base, record) });
}

function differingFacts(base: Base, record: PreparedRecord): UnversionedFacts | undefined {
  if (record.op === 'delete') return undefined;
  const statistics = statisticsAfter(base, record);
  const measured = record.statistics !== undefined && contentHash(statistics) !== contentHash(base.statistics ?? null);
  const moved = record.sourceId !== undefined && record.sourceId !== base.source_id;
  if (!measured && !moved) return undefined;
  return {
    version: base.version,
    ...(measured && statistics !== undefined && { statistics }),
    ...(moved && { source_id: record.sourceId }),
  };
}

function statisticsAfter(base: Base | undefined, { op, statistics }: PreparedRecord): Base['statistics'] {
  if (statistics === undefined) return base?.statistics;
  return op === 'merge' ? { ...base?.statistics, ...statistics } : statistics;
}

function changeOf(base: Base | undefined, { op }: PreparedRecord, hash: string): ChangeKind | undefined {
  if (op === 'delete') return base === undefined || base.deleted ? undefined : 'deleted';
  if (base === undefined || base.deleted) return 'created';
  return base.content_hash === hash ? undefined : 'updated';
}

function nextVersion(
  tenantId: string,
  base: Base | undefined,
  record: PreparedRecord,
  next: HashedContent,
  change: ChangeKind,
): PlannedVersion {
  const content = contentOf(next.content);
  // Two versions of an entity never begin at the same millisecond: "as of" always has one answer.
  const validFrom = new Date(Math.max(record.receivedAt.getTime(), (base?.updated_at.getTime() ?? 0) + 1));
  const statistics = statisticsAfter(base, record);
  const sourceId = record.sourceId ?? base?.source_id;
  return {
    record,
    version: {
      entity_id: record.entityId,
      tenant_id: tenantId,
      entity_type: record.entityType,
      qualified_name: record.qualifiedName,
      version: (base?.version ?? 0) + 1,
      ...content,
      content_hash: next.hash,
      change,
      changed_fields: change === 'updated' ? changedFields(base, content) : [],
      created_at: base?.created_at ?? validFrom,
      valid_from: validFrom,
      valid_to: null,
      is_current: true,
      record_id: record.recordId,
      batch_id: record.batchId,
      actor: record.actor,
      ...(statistics !== undefined && { statistics }),
      ...(sourceId !== undefined && { source_id: sourceId }),
    },
  };
}

/** The entity as one of its versions makes it. */
export function entityAsOf(version: EntityVersion): Entity {
  return {
    entity_id: version.entity_id,
    tenant_id: version.tenant_id,
    entity_type: version.entity_type,
    qualified_name: version.qualified_name,
    version: version.version,
    content_hash: version.content_hash,
    ...contentOf(version),
    ...(version.statistics !== undefined && { statistics: version.statistics }),
    ...(version.source_id !== undefined && { source_id: version.source_id }),
    deleted: version.change === 'deleted',
    created_at: version.created_at,
    updated_at: version.valid_from,
  };
}

/** The content alone of what may hold more. */
function contentOf(holder: EntityContent | undefined): EntityContent {
  if (holder === undefined) throw new Error('a deletion of an entity that does not exist makes no version');
  return {
    attributes: holder.attributes,
    ...(holder.parent !== undefined && { parent: holder.parent }),
    upstream: holder.upstream,
    ...(holder.downstream !== undefined && { downstream: holder.downstream }),
    relationships: holder.relationships,
  };
}

function changedFields(base: Base | undefined, content: EntityContent): string[] {
  const before = fieldsOf(base);
  const after = fieldsOf(content);
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((field) => contentHash(before[field] ?? null) !== contentHash(after[field] ?? null))
    .sort();
}

function fieldsOf(content: EntityContent | undefined): Record<string, unknown> {
  if (content === undefined) return {};
  const fields: Record<string, unknown> = {
    parent: content.parent?.metadata_id,
    upstream: content.upstream.map((ref) => ref.metadata_id),
    downstream: (content.downstream ?? []).map((ref) => ref.metadata_id),
    relationships: content.relationships.map((edge) => [edge.relationship_type, edge.target.metadata_id]),
  };
  for (const [key, value] of Object.entries(content.attributes)) fields[`attributes.${key}`] = value;
  return fields;
}
