import type { Entity, EntityContent } from '#domain/assets/entity.ts';
import type { IngestRecord } from '#domain/assets/record.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import { entityAsOf, planVersions } from '../plan-versions.ts';
import { normalise, parse, withRules, type PreparedRecord } from '../prepare.ts';
import { speaking } from './speakers.ts';

export interface RecomputeDeps {
  rawRecords: Pick<RawRecords, 'said' | 'saidSince' | 'records'>;
  deadLetters: Pick<DeadLetters, 'getMany'>;
  entities: Pick<Entities, 'get' | 'versions'>;
}

export interface RecomputeRequest {
  tenantId: string;
  entityId: string;
  rules: RuleSet | undefined;
  /** The records of the page: the entity belongs to the page that has its newest record. */
  newestIn: ReadonlySet<string>;
  entityType?: string | undefined;
}

/** What the entity would be under today's transformation. */
export type Recomputed =
  /** Its newest record stands on another page, or outside the range. */
  | { kind: 'elsewhere' }
  /** Nothing that was said of it passes today: a rule drops it, or it is not valid. What is stored stays. */
  | { kind: 'dropped' }
  | { kind: 'rejected' }
  | { kind: 'unchanged' }
  /** Versions of it came of records that speak of many entities, so its own records do not tell all. */
  | { kind: 'skipped' }
  | {
      kind: 'changing';
      entityId: string;
      entityType: string;
      qualifiedName: string;
      change: 'created' | 'updated' | 'deleted';
      /** The entity's version now; 0 when there is none alive. */
      version: number;
      newest: RawRecordDoc;
      /** The raw record that says it all, or the text of one that sums up several. */
      body: { kind: 'of'; recordId: string } | { kind: 'text'; text: string };
      before: EntityContent | undefined;
      after: EntityContent | undefined;
    };

/** Records of an entity that are looked at, back from the newest. */
const perLook = 20;
const mostSayings = 1_000;

/**
 * Recomputes an entity from what was said of it: the newest record that passes today and states it whole, and the merges
 * since. That is what a fresh ingest of all its records would come to.
 */
export async function recompute(deps: RecomputeDeps, request: RecomputeRequest): Promise<Recomputed> {
  const { tenantId, entityId, newestIn, entityType } = request;
  const said = await sayings(deps, request);
  const { newest, accepted } = said;
  if (newest === undefined || !newestIn.has(newest._id)) return { kind: 'elsewhere' };
  const [first] = accepted;
  if (first === undefined) return { kind: said.dropped ? 'dropped' : 'rejected' };
  if (entityType !== undefined && first.prepared.entityType !== entityType) return { kind: 'elsewhere' };
  const entity = await deps.entities.get(tenantId, entityId);
  const stored = entity === undefined || entity.deleted ? undefined : entity;
  const target = contentOf(tenantId, accepted.map(({ prepared }) => prepared).toReversed());
  if (stored?.content_hash === target?.content_hash) return { kind: 'unchanged' };
  const oldest = accepted.at(-1)?.raw.received_at ?? newest.received_at;
  if (await hasOtherMakers(deps, tenantId, entityId, oldest)) return { kind: 'skipped' };
  // A merge that stands alone would be merged into what is stored; it has to say it all.
  const single = accepted.length === 1 && first.prepared.op !== 'merge';
  return {
    kind: 'changing',
    entityId,
    entityType: first.prepared.entityType,
    qualifiedName: first.prepared.qualifiedName,
    change: target === undefined ? 'deleted' : stored === undefined ? 'created' : 'updated',
    version: stored?.version ?? 0,
    newest,
    body:
      single || target === undefined
        ? { kind: 'of', recordId: first.raw._id }
        : { kind: 'text', text: JSON.stringify(summedUp(target)) },
    before: stored && statedBy(stored),
    after: target && statedBy(target),
  };
}

/** Versions of an entity that are looked at, back from the newest. */
const versionsLookedAt = 100;

/** Whether a version since then was made by something that is not among what was said of the entity alone. */
async function hasOtherMakers(deps: RecomputeDeps, tenantId: string, entityId: string, since: Date): Promise<boolean> {
  const versions = await deps.entities.versions(tenantId, entityId, { limit: versionsLookedAt });
  const makers = versions.filter(({ valid_from }) => valid_from >= since).map(({ record_id }) => record_id);
  const raws = await deps.rawRecords.records(tenantId, makers);
  return makers.some((id) => raws.get(id)?.entity_id !== entityId);
}

interface Saying {
  raw: RawRecordDoc;
  prepared: PreparedRecord;
}

interface Sayings {
  newest: RawRecordDoc | undefined;
  /** The newest first, down to the one that states the entity whole. */
  accepted: Saying[];
  /** Whether a rule dropped the newest that is valid. */
  dropped: boolean;
}

async function sayings(
  deps: RecomputeDeps,
  { tenantId, entityId, rules, newestIn }: RecomputeRequest,
): Promise<Sayings> {
  const [newestId] = await deps.rawRecords.saidSince(tenantId, entityId, new Date(0), 1);
  const found: Sayings = { newest: undefined, accepted: [], dropped: false };
  // Most entities of a page are looked at on the page of their newest record only; the others cost this one look.
  if (newestId === undefined || !newestIn.has(newestId)) return found;
  for (let skip = 0; skip < mostSayings;) {
    const limit = skip === 0 ? 1 : perLook;
    const raws = await deps.rawRecords.said(tenantId, entityId, { skip, limit });
    found.newest ??= raws[0];
    for (const raw of await speaking(deps, tenantId, raws)) {
      const read = parse(raw);
      const ruled = read.ok ? withRules(raw, read.record, rules) : read;
      if (!ruled.ok) {
        found.dropped ||= ruled.letter.reason === 'dropped-by-rule';
        continue;
      }
      // An `If-Match`, or what bound a replay, held when it was applied; what is computed here begins with nothing.
      const { expected_version: _expected, ...record } = ruled.record;
      const { expected_version: _bound, ...unbound } = raw;
      found.accepted.push({ raw, prepared: normalise(unbound, record) });
      if (record.op !== 'merge') return found;
    }
    if (raws.length < limit) return found;
    skip += limit;
  }
  return found;
}

/** What the records come to one after the other, beginning with nothing; undefined when the entity ends as deleted. */
function contentOf(tenantId: string, records: PreparedRecord[]): Entity | undefined {
  const last = planVersions(tenantId, new Map(), records).versions.at(-1)?.version;
  return last === undefined || last.change === 'deleted' ? undefined : entityAsOf(last);
}

function statedBy({ attributes, parent, upstream, downstream, relationships }: EntityContent): EntityContent {
  return {
    attributes,
    ...(parent !== undefined && { parent }),
    upstream,
    ...(downstream !== undefined && { downstream }),
    relationships,
  };
}

/** One record that states what several came to. */
function summedUp(entity: Entity): IngestRecord {
  const ref = ({ metadata_id, entity_type, qualified_name }: Entity['upstream'][number]) =>
    entity_type !== undefined && qualified_name !== undefined ? { entity_type, qualified_name } : { metadata_id };
  return {
    op: 'upsert',
    entity_type: entity.entity_type,
    qualified_name: entity.qualified_name,
    attributes: entity.attributes,
    ...(entity.parent !== undefined && { parent: ref(entity.parent) }),
    upstream: entity.upstream.map(ref),
    ...(entity.downstream !== undefined && { downstream: entity.downstream.map(ref) }),
    relationships: entity.relationships.map(({ relationship_type, target }) => ({
      relationship_type,
      target: ref(target),
    })),
    ...(entity.statistics !== undefined && { statistics: entity.statistics }),
    ...(entity.source_id !== undefined && { source_id: entity.source_id }),
  };
}
