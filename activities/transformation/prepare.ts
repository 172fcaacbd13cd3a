import type { Attributes, EntityContent, EntityRef, Json, Relationship, ResolvedRef } from '#domain/assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import type { DeadLetter, DeadLetterReason } from '#domain/transformation/dead-letter.ts';
import { contentHash, metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';

/** A record that is valid, normalised and ready to be compared with what is stored. */
export interface PreparedRecord {
  tenantId: string;
  recordId: string;
  batchId: string;
  op: 'upsert' | 'delete';
  entityId: string;
  entityType: string;
  qualifiedName: string;
  /** Absent for a deletion. */
  content?: EntityContent;
  contentHash: string;
  statistics?: Record<string, Json>;
  sourceId?: string;
  expectedVersion?: number;
  receivedAt: Date;
  actor: string;
}

export type Prepared = { ok: true; record: PreparedRecord } | { ok: false; letter: DeadLetter };

/**
 * Parses, validates and normalises one raw record. Pure: the same raw record always gives the same result, so it is done
 * again after a crash instead of being kept.
 */
export function prepare(raw: RawRecordDoc): Prepared {
  if (raw.fault !== undefined) return reject(raw, raw.fault.reason, raw.fault.detail);
  let body: unknown;
  try {
    body = JSON.parse(raw.body);
  } catch (error) {
    return reject(raw, 'malformed-json', error instanceof Error ? error.message : 'The record is not JSON');
  }
  const parsed = ingestRecordSchema.safeParse(body);
  if (!parsed.success) {
    const faults = parsed.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join('.') || 'record'}: ${issue.message}`);
    return reject(raw, 'invalid-record', faults.join('; '));
  }
  // The parsed copy drops keys that JavaScript treats in a way of its own; the original keeps every key faithfully.
  return { ok: true, record: normalise(raw, body as IngestRecord) };
}

function normalise(raw: RawRecordDoc, record: IngestRecord): PreparedRecord {
  const content = record.op === 'upsert' ? contentOf(raw.tenant_id, record) : undefined;
  return {
    tenantId: raw.tenant_id,
    recordId: raw._id,
    batchId: raw.batch_id,
    op: record.op,
    entityId: metadataId(raw.tenant_id, record.entity_type, record.qualified_name),
    entityType: record.entity_type,
    qualifiedName: record.qualified_name,
    contentHash: content === undefined ? '' : hashOf(content),
    receivedAt: raw.received_at,
    actor: raw.actor,
    ...(content !== undefined && { content }),
    ...(record.statistics !== undefined && { statistics: record.statistics }),
    ...(record.source_id !== undefined && { sourceId: record.source_id }),
    ...(record.expected_version !== undefined && { expectedVersion: record.expected_version }),
  };
}

function contentOf(tenantId: string, record: IngestRecord): EntityContent {
  const attributes = { ...record.attributes } as Attributes;
  if (attributes.tags !== undefined) attributes.tags = [...new Set(attributes.tags)];
  const resolve = (ref: EntityRef): ResolvedRef =>
    'metadata_id' in ref ? ref : { metadata_id: metadataId(tenantId, ref.entity_type, ref.qualified_name), ...ref };
  const content: EntityContent = {
    attributes,
    upstream: distinct((record.upstream ?? []).map(resolve), (ref) => ref.metadata_id),
    relationships: distinct(
      (record.relationships ?? []).map((one) => ({
        relationship_type: one.relationship_type,
        target: resolve(one.target),
      })),
      edgeName,
    ),
  };
  if (record.parent !== undefined) content.parent = resolve(record.parent);
  return content;
}

/** The digest of what a version is made for: names that stand beside an id for people do not count. */
function hashOf(content: EntityContent): string {
  return contentHash([
    content.attributes,
    content.parent?.metadata_id ?? null,
    content.upstream.map((ref) => ref.metadata_id),
    content.relationships.map(edgeName),
  ]);
}

function edgeName(edge: Relationship<ResolvedRef>): string {
  return `${edge.relationship_type}|${edge.target.metadata_id}`;
}

/** The items as a set, in a stable order. */
function distinct<T>(items: T[], keyOf: (item: T) => string): T[] {
  if (items.length === 0) return items;
  const byKey = new Map(items.map((item) => [keyOf(item), item]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

function reject(raw: RawRecordDoc, reason: DeadLetterReason, detail: string): Prepared {
  return { ok: false, letter: deadLetter(raw.tenant_id, raw._id, raw.batch_id, reason, detail) };
}

export function deadLetter(
  tenantId: string,
  recordId: string,
  batchId: string,
  reason: DeadLetterReason,
  detail: string,
): DeadLetter {
  return { record_id: recordId, tenant_id: tenantId, batch_id: batchId, reason, detail, failed_at: new Date() };
}
