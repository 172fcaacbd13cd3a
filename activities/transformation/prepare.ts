import type { EntityContent, Json } from '#domain/assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import type { DeadLetter, DeadLetterReason } from '#domain/transformation/dead-letter.ts';
import { metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import { hashOf, statedContent, statedPatch, type ContentPatch } from './entity-content.ts';

/** Where a record comes from: of the raw record that states it. */
export type Origin = Pick<RawRecordDoc, '_id' | 'tenant_id' | 'batch_id' | 'received_at' | 'actor'>;

/** A record that is valid, normalised and ready to be compared with what is stored. */
export interface PreparedRecord {
  tenantId: string;
  recordId: string;
  batchId: string;
  op: IngestRecord['op'];
  entityId: string;
  entityType: string;
  qualifiedName: string;
  /** The whole content, of an `upsert`. */
  content?: EntityContent;
  /** Digest of `content`; empty without it. */
  contentHash: string;
  /** What changes, of a `merge`. */
  patch?: ContentPatch;
  statistics?: Record<string, Json>;
  sourceId?: string;
  expectedVersion?: number;
  receivedAt: Date;
  actor: string;
}

export type Prepared = { ok: true; record: PreparedRecord } | { ok: false; letter: DeadLetter };

type Parsed = { ok: true; record: IngestRecord } | { ok: false; letter: DeadLetter };

/**
 * Parses, validates and normalises one raw record. Pure: the same raw record always gives the same result, so it is done
 * again after a crash instead of being kept.
 */
export function prepare(raw: RawRecordDoc): Prepared {
  const parsed = parse(raw);
  return parsed.ok ? { ok: true, record: normalise(raw, parsed.record) } : parsed;
}

/** Reads one raw record as it was sent. */
export function parse(raw: RawRecordDoc): Parsed {
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
  return { ok: true, record: body as IngestRecord };
}

/** Gives a record its identity, and its references their ids. */
export function normalise(origin: Origin, record: IngestRecord): PreparedRecord {
  const content = record.op === 'upsert' ? statedContent(origin.tenant_id, record) : undefined;
  return {
    tenantId: origin.tenant_id,
    recordId: origin._id,
    batchId: origin.batch_id,
    op: record.op,
    entityId: metadataId(origin.tenant_id, record.entity_type, record.qualified_name),
    entityType: record.entity_type,
    qualifiedName: record.qualified_name,
    contentHash: content === undefined ? '' : hashOf(content),
    receivedAt: origin.received_at,
    actor: origin.actor,
    ...(content !== undefined && { content }),
    ...(record.op === 'merge' && { patch: statedPatch(origin.tenant_id, record) }),
    ...(record.statistics !== undefined && { statistics: record.statistics }),
    ...(record.source_id !== undefined && { sourceId: record.source_id }),
    ...(record.expected_version !== undefined && { expectedVersion: record.expected_version }),
  };
}

export function reject(raw: RawRecordDoc, reason: DeadLetterReason, detail: string): { ok: false; letter: DeadLetter } {
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
