import type { EntityContent, Json } from '#domain/assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import type { Door } from '#domain/transformation/batch.ts';
import type { DeadLetter, DeadLetterReason } from '#domain/transformation/dead-letter.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import { metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import { hashOf, statedContent, statedPatch, type ContentPatch } from './entity-content.ts';

/** Where a record comes from: of the raw record that states it. */
export type Origin = Pick<
  RawRecordDoc,
  '_id' | 'tenant_id' | 'batch_id' | 'received_at' | 'actor' | 'door' | 'repeats' | 'expected_version'
>;

/** A record as it was stated, and where. */
export interface Stated {
  origin: RawRecordDoc;
  record: IngestRecord;
}

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
  door: Door;
  /** The record that this one repeats. */
  repeats?: string;
}

export type Prepared = { ok: true; record: PreparedRecord } | { ok: false; letter: DeadLetter };

type Parsed = { ok: true; record: IngestRecord } | { ok: false; letter: DeadLetter };

/**
 * Parses, validates and normalises one raw record. Pure: the same raw record always gives the same result under
 * the same rules, so it is done again after a crash instead of being kept.
 */
export function prepare(raw: RawRecordDoc, rules?: RuleSet): Prepared {
  const parsed = parse(raw);
  if (!parsed.ok) return parsed;
  const ruled = withRules(raw, parsed.record, rules);
  return ruled.ok ? { ok: true, record: normalise(raw, ruled.record) } : ruled;
}

/** Applies the tenant's rules to a valid record, before it is normalised. What they drop or fail on becomes a dead letter. */
export function withRules(raw: RawRecordDoc, record: IngestRecord, rules: RuleSet | undefined): Parsed {
  if (rules === undefined || isRuled(raw)) return { ok: true, record };
  const outcome = rules.apply(record, raw.door);
  switch (outcome.kind) {
    case 'kept':
      return { ok: true, record: outcome.record };
    case 'dropped':
      return reject(raw, 'dropped-by-rule', `The rule ${outcome.rule} drops it`, outcome.rule);
    case 'failed':
      return reject(raw, 'rule-failed', `The rule ${outcome.rule} failed: ${outcome.detail}`, outcome.rule);
  }
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

/** Reprocessing made it of several records, after the rules. */
function isRuled({ derived, body_of }: RawRecordDoc): boolean {
  return derived === true && body_of === undefined;
}

/** Gives a record its identity, and its references their ids. */
export function normalise(origin: Origin, record: IngestRecord): PreparedRecord {
  const expectedVersion = origin.expected_version ?? record.expected_version;
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
    door: origin.door,
    ...(content !== undefined && { content }),
    ...(record.op === 'merge' && { patch: statedPatch(origin.tenant_id, record) }),
    ...(record.statistics !== undefined && { statistics: record.statistics }),
    ...(record.source_id !== undefined && { sourceId: record.source_id }),
    ...(expectedVersion !== undefined && { expectedVersion }),
    ...(origin.repeats !== undefined && { repeats: origin.repeats }),
  };
}

export function reject(
  raw: RawRecordDoc,
  reason: DeadLetterReason,
  detail: string,
  rule?: string,
): { ok: false; letter: DeadLetter } {
  const { tenant_id, _id, batch_id, entity_id, door, received_at, repeats } = raw;
  const subject = { tenant_id, record_id: _id, batch_id, entity_id, door, received_at };
  return { ok: false, letter: deadLetter({ ...subject, ...(repeats && { repeats }) }, reason, detail, rule) };
}

/** What a dead letter is about. */
type LetterSubject = Omit<DeadLetter, 'reason' | 'detail' | 'rule' | 'failed_at'>;

export function deadLetter(
  subject: LetterSubject,
  reason: DeadLetterReason,
  detail: string,
  rule?: string,
): DeadLetter {
  return { ...subject, reason, detail, ...(rule !== undefined && { rule }), failed_at: new Date() };
}
