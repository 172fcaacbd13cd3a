import { stringify } from 'safe-stable-stringify';
import type { ChangeKind, EntityContent, EntityRef } from '#domain/assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import { metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';

export type Outcome = 'applied' | 'unchanged' | 'dead-lettered';

/** A version that an entity's records must have made. */
export interface ExpectedVersion {
  version: number;
  recordId: string;
  change: ChangeKind;
  /** {@link contentText} of what the version holds; a deletion holds what was there before. */
  content: string;
}

export interface ExpectedHistory {
  versions: ExpectedVersion[];
  outcomes: Map<string, Outcome>;
}

export interface ParsedRecord {
  raw: RawRecordDoc;
  /** Undefined when the record cannot be processed. */
  record: IngestRecord | undefined;
  entityId: string;
}

/** Reads a raw record as the contract says, and finds out which entity it is about. */
export function parseRaw(raw: RawRecordDoc): ParsedRecord {
  let body: unknown;
  try {
    body = JSON.parse(raw.body);
  } catch {
    return { raw, record: undefined, entityId: raw.entity_id };
  }
  if (!ingestRecordSchema.safeParse(body).success) return { raw, record: undefined, entityId: raw.entity_id };
  const record = body as IngestRecord;
  return { raw, record, entityId: metadataId(raw.tenant_id, record.entity_type, record.qualified_name) };
}

/**
 * What one entity's records, in the order of their arrival, must have led to. Written from the contract alone, and on
 * purpose without the pipeline's own planning, so that a fault there cannot hide here.
 */
export function expectedHistory(tenantId: string, records: readonly ParsedRecord[]): ExpectedHistory {
  const versions: ExpectedVersion[] = [];
  const outcomes = new Map<string, Outcome>();
  for (const { raw, record } of records) {
    const before = versions.at(-1);
    const living = before !== undefined && before.change !== 'deleted';
    if (record === undefined) {
      outcomes.set(raw._id, 'dead-lettered');
      continue;
    }
    if (record.expected_version !== undefined && record.expected_version !== (living ? before.version : 0)) {
      outcomes.set(raw._id, 'dead-lettered');
      continue;
    }
    const content = record.op === 'delete' ? (before?.content ?? '') : recordText(tenantId, record);
    const change = changeOf(record.op, living, before?.content === content);
    outcomes.set(raw._id, change === undefined ? 'unchanged' : 'applied');
    if (change !== undefined) versions.push({ version: versions.length + 1, recordId: raw._id, change, content });
  }
  return { versions, outcomes };
}

function changeOf(op: IngestRecord['op'], living: boolean, same: boolean): ChangeKind | undefined {
  if (op === 'delete') return living ? 'deleted' : undefined;
  if (!living) return 'created';
  return same ? undefined : 'updated';
}

/** What a record states, as one text: equal texts, equal content. */
export function recordText(tenantId: string, record: IngestRecord): string {
  const idOf = (ref: EntityRef): string =>
    'metadata_id' in ref ? ref.metadata_id : metadataId(tenantId, ref.entity_type, ref.qualified_name);
  return text(
    record.attributes ?? {},
    record.parent === undefined ? undefined : idOf(record.parent),
    (record.upstream ?? []).map(idOf),
    (record.relationships ?? []).map((edge) => `${edge.relationship_type}>${idOf(edge.target)}`),
  );
}

/** What a stored version states, as one text that compares with {@link recordText}. */
export function contentText(content: EntityContent): string {
  return text(
    content.attributes,
    content.parent?.metadata_id,
    content.upstream.map((ref) => ref.metadata_id),
    content.relationships.map((edge) => `${edge.relationship_type}>${edge.target.metadata_id}`),
  );
}

function text(attributes: object, parent: string | undefined, upstream: string[], relationships: string[]): string {
  const tags = 'tags' in attributes && Array.isArray(attributes.tags) ? { tags: [...new Set(attributes.tags)] } : {};
  const sorted = (items: string[]): string[] => [...new Set(items)].sort();
  return stringify([{ ...attributes, ...tags }, parent ?? null, sorted(upstream), sorted(relationships)]) ?? '';
}
