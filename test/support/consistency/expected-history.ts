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
  let held: Stated | undefined;
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
    const after = statedAfter(tenantId, living ? held : undefined, record);
    const content = record.op === 'delete' ? (before?.content ?? '') : text(after);
    if (record.op !== 'delete') held = after;
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

/** What an entity says, with ids in place of references. */
interface Stated {
  attributes: Record<string, unknown>;
  parent: string | null;
  upstream: string[];
  downstream: string[];
  relationships: string[];
}

const nothing: Stated = { attributes: {}, parent: null, upstream: [], downstream: [], relationships: [] };

/** What an entity says after a record, when it said `before` until then; undefined when there was none. */
function statedAfter(tenantId: string, before: Stated | undefined, record: IngestRecord): Stated {
  const idOf = (ref: EntityRef): string =>
    'metadata_id' in ref ? ref.metadata_id : metadataId(tenantId, ref.entity_type, ref.qualified_name);
  const kept = record.op === 'merge' && before !== undefined ? before : nothing;
  const attributes = record.op === 'merge' ? patched(kept.attributes, record) : { ...record.attributes };
  return {
    attributes,
    parent: record.parent === undefined ? kept.parent : idOf(record.parent),
    upstream: record.upstream?.map(idOf) ?? kept.upstream,
    downstream: record.downstream?.map(idOf) ?? kept.downstream,
    relationships:
      record.relationships?.map((edge) => `${edge.relationship_type}>${idOf(edge.target)}`) ?? kept.relationships,
  };
}

/** Attributes after a merge: what is given stands, null takes away, and facets do the same among themselves. */
function patched(before: Record<string, unknown>, record: IngestRecord): Record<string, unknown> {
  const given: Record<string, unknown> = { ...record.attributes };
  const all: Record<string, unknown> = { name: record.qualified_name, ...before, ...given };
  const { facets } = given;
  if (typeof facets === 'object' && facets !== null && !Array.isArray(facets)) {
    const merged: Record<string, unknown> = { ...(before['facets'] as object | undefined), ...facets };
    const kept = Object.entries(merged).filter(([, body]) => body !== null);
    all['facets'] = kept.length === 0 ? null : Object.fromEntries(kept);
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

/** What a record states by itself, as one text that compares with {@link contentText}. */
export function recordText(tenantId: string, record: IngestRecord): string {
  return text(statedAfter(tenantId, undefined, record));
}

/** What a stored version states, as one text that compares with {@link ExpectedVersion.content}. */
export function contentText(content: EntityContent): string {
  return text({
    attributes: content.attributes,
    parent: content.parent?.metadata_id ?? null,
    upstream: content.upstream.map((ref) => ref.metadata_id),
    downstream: (content.downstream ?? []).map((ref) => ref.metadata_id),
    relationships: content.relationships.map((edge) => `${edge.relationship_type}>${edge.target.metadata_id}`),
  });
}

function text({ attributes, parent, upstream, downstream, relationships }: Stated): string {
  const tags =
    'tags' in attributes && Array.isArray(attributes['tags']) ? { tags: [...new Set(attributes['tags'])] } : {};
  const sorted = (items: string[]): string[] => [...new Set(items)].sort();
  return (
    stringify([{ ...attributes, ...tags }, parent, sorted(upstream), sorted(downstream), sorted(relationships)]) ?? ''
  );
}
