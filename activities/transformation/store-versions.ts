import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { BatchRef } from '#domain/transformation/batch.ts';
import type { DeadLetter } from '#domain/transformation/dead-letter.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import { remainingAfter } from './earlier-attempt.ts';
import { entityAsOf, planVersions, type UnversionedFacts, type VersionPlan } from './plan-versions.ts';
import { deadLetter, type PreparedRecord } from './prepare.ts';

export interface StoreDeps {
  entities: Pick<
    Entities,
    'getMany' | 'versionsOfBatch' | 'standingOf' | 'insertVersions' | 'closePredecessors' | 'putCurrent' | 'putFacts'
  >;
  deadLetters: Pick<DeadLetters, 'put'>;
}

export interface StoreOutcome {
  /** Every version that this batch made, in this attempt or an earlier one, each entity's in order. */
  versions: EntityVersion[];
  /** Records that were refused: their `If-Match` does not hold, or they would make their entity too large. */
  refused: PreparedRecord[];
}

/**
 * Applies prepared records: history first, because inserting (entity, version) is what claims a version; then the current
 * entities. After a crash at any point, doing it again completes what is missing and returns the same versions.
 */
export async function storeVersions(
  deps: StoreDeps,
  batch: BatchRef,
  records: PreparedRecord[],
): Promise<StoreOutcome> {
  const earlier = await deps.entities.versionsOfBatch(batch.tenantId, batch.batchId);
  const bases = await readBases(deps, batch, records, earlier);
  const { open, refused } = remainingAfter(records, earlier);
  const { claimed, letters, facts, ...claims } = await claimVersions(deps, batch, bases, open);

  for (const { record, found } of refused) letters.push(mismatch(batch.batchId, record, found));
  const versions = [...earlier, ...claimed];
  await Promise.all([
    deps.deadLetters.put(batch, letters),
    deps.entities.closePredecessors(batch.tenantId, versions),
    deps.entities.putCurrent(batch.tenantId, newestEntities(versions)),
  ]);
  await deps.entities.putFacts(batch.tenantId, facts);
  return { versions, refused: [...refused.map(({ record }) => record), ...claims.refused] };
}

/** What is stored of the batch's entities, including what an earlier attempt wrote to the history only. */
async function readBases(
  deps: StoreDeps,
  { tenantId }: BatchRef,
  records: PreparedRecord[],
  earlier: EntityVersion[],
): Promise<Map<string, Entity>> {
  const ids = [...new Set(records.map((record) => record.entityId))];
  const bases = await deps.entities.getMany(tenantId, ids);
  for (const version of earlier) {
    const base = bases.get(version.entity_id);
    if (base === undefined || base.version < version.version) bases.set(version.entity_id, entityAsOf(version));
  }
  return bases;
}

/**
 * The batch's own version stands where this attempt was about to insert it: an attempt that ran out of time is still
 * writing, or an insert was repeated whose answer was lost. The next attempt begins with all that is there by then.
 */
class ConcurrentAttempt extends Error {
  override readonly name = 'ConcurrentAttempt';

  constructor(batchId: string) {
    super(`another attempt is writing the versions of batch ${batchId}`);
  }
}

interface Claims {
  claimed: EntityVersion[];
  letters: DeadLetter[];
  refused: PreparedRecord[];
  facts: Map<string, UnversionedFacts>;
}

/**
 * Plans and inserts until every record is decided. Another batch may take a version first: then the records from there on
 * are planned anew, on top of what that batch wrote. What stands before is decided and stays, so order holds.
 */
async function claimVersions(
  deps: StoreDeps,
  batch: BatchRef,
  bases: Map<string, Entity>,
  open: PreparedRecord[],
): Promise<Claims> {
  const { tenantId, batchId } = batch;
  const claims: Claims = { claimed: [], letters: [], refused: [], facts: new Map() };
  let records = open;
  while (records.length > 0) {
    const plan = planVersions(tenantId, bases, records);
    const versions = plan.versions.map((one) => one.version);
    // Before the versions: after a crash, one that is there says that the records of its entity before it are decided.
    await deps.deadLetters.put(
      batch,
      plan.oversized.map(({ record, bytes }) => oversize(batchId, record, bytes)),
    );
    const { inserted, taken } = await deps.entities.insertVersions(tenantId, versions);
    const mine = versions.slice(0, inserted);
    let decided = records.length;
    claims.claimed.push(...mine);
    for (const version of mine) bases.set(version.entity_id, entityAsOf(version));
    if (taken !== undefined) {
      // One raw record may state many entities, so the id of the record alone does not tell.
      decided = records.findIndex(
        (record) => record.recordId === taken.record_id && record.entityId === taken.entity_id,
      );
      // Whoever took this one has often taken many of those behind it: all of them are met at once, not one by one.
      const standing = await deps.entities.standingOf(tenantId, versions.slice(inserted));
      if (standing.some((version) => version.batch_id === batchId)) throw new ConcurrentAttempt(batchId);
      for (const version of standing) bases.set(version.entity_id, entityAsOf(version));
    }
    settle(claims, plan, new Set(records.slice(0, decided)), batchId);
    records = records.slice(decided);
  }
  return claims;
}

/** Takes over what the plan says of records that make no version. */
function settle(claims: Claims, plan: VersionPlan, decided: ReadonlySet<PreparedRecord>, batchId: string): void {
  for (const { record, facts } of plan.unchanged) {
    if (!decided.has(record) || facts === undefined) continue;
    const known = claims.facts.get(record.entityId);
    claims.facts.set(record.entityId, known?.version === facts.version ? { ...known, ...facts } : facts);
  }
  for (const { record, found } of plan.mismatched) {
    if (!decided.has(record)) continue;
    claims.letters.push(mismatch(batchId, record, found));
    claims.refused.push(record);
  }
  for (const { record } of plan.oversized) if (decided.has(record)) claims.refused.push(record);
}

function mismatch(batchId: string, record: PreparedRecord, found: number): DeadLetter {
  const detail = `If-Match asked for version ${record.expectedVersion}, but the entity is at version ${found}`;
  return deadLetter(subjectOf(batchId, record), 'version-mismatch', detail);
}

function oversize(batchId: string, record: PreparedRecord, bytes: number): DeadLetter {
  const { entityType, qualifiedName } = record;
  const detail =
    `merged with what is stored, the ${entityType} ${qualifiedName} would take ${bytes} bytes;` +
    ` an entity may take ${limits.entityBytes}`;
  return deadLetter(subjectOf(batchId, record), 'invalid-record', detail);
}

function subjectOf(batchId: string, record: PreparedRecord): Omit<DeadLetter, 'reason' | 'detail' | 'failed_at'> {
  return {
    tenant_id: record.tenantId,
    record_id: record.recordId,
    batch_id: batchId,
    entity_id: record.entityId,
    door: record.door,
    received_at: record.receivedAt,
    ...(record.repeats !== undefined && { repeats: record.repeats }),
  };
}

function newestEntities(versions: EntityVersion[]): (Entity & { record_id: string })[] {
  const newest = new Map<string, EntityVersion>();
  for (const version of versions) {
    const known = newest.get(version.entity_id);
    if (known === undefined || known.version < version.version) newest.set(version.entity_id, version);
  }
  return [...newest.values()].map((version) => ({ ...entityAsOf(version), record_id: version.record_id }));
}
