import type { Db } from 'mongodb';
import type { Driver } from 'neo4j-driver';
import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import { collections } from '#platform/mongo/collections.ts';
import { decodeKeys } from '#platform/mongo/odd-keys.ts';
import { checkChanges, type ChangeLog } from './consistency/change-log.ts';
import { expectedHistory, parseRaw, type Outcome, type ParsedRecord } from './consistency/expected-history.ts';
import { Findings, type Discrepancy } from './consistency/findings.ts';
import { checkGraph } from './consistency/graph.ts';
import { checkChain, checkCurrent, checkHistory } from './consistency/history.ts';

export { readChangeLog, type ChangeLog } from './consistency/change-log.ts';
export type { Discrepancy } from './consistency/findings.ts';
export type { Outcome } from './consistency/expected-history.ts';

export interface ConsistencyOptions {
  db: Db;
  driver: Driver;
  tenantIds: readonly string[];
  /** What is on `lily.changes`; without it the events are not looked at. */
  changes?: ChangeLog;
}

/** What was counted over all tenants. */
export const noConsistencyCounts = {
  /** Raw records, which are those that arrived. */
  records: 0,
  applied: 0,
  unchanged: 0,
  deadLettered: 0,
  entities: 0,
  versions: 0,
  deletedEntities: 0,
  /**
   * Entities whose records came through several doors or partitions, so that their order cannot be told, or as events, which
   * state many entities at once: only their chain is checked.
   */
  unordered: 0,
  nodes: 0,
  pendingNodes: 0,
  edges: 0,
  events: 0,
  repeatedEvents: 0,
};

export type ConsistencyCounts = typeof noConsistencyCounts;

export interface ConsistencyReport {
  counts: ConsistencyCounts;
  discrepancies: Discrepancy[];
  /** What became of each raw record, by its id. */
  outcomes: Map<string, Outcome>;
}

/**
 * Checks that a quiet system agrees with itself: what came of every raw record, each entity's history against the one that
 * follows from its records, the current entities, the change events, and the graph.
 */
export async function verifyConsistency(options: ConsistencyOptions): Promise<ConsistencyReport> {
  const counts = { ...noConsistencyCounts };
  const discrepancies: Discrepancy[] = [];
  const outcomes = new Map<string, Outcome>();
  for (const tenantId of options.tenantIds) {
    const findings = new Findings(tenantId);
    await verifyTenant(options, tenantId, { counts, findings, outcomes });
    discrepancies.push(...findings.all());
  }
  return { counts, discrepancies, outcomes };
}

interface Verification {
  counts: ConsistencyCounts;
  findings: Findings;
  outcomes: Map<string, Outcome>;
}

async function verifyTenant(options: ConsistencyOptions, tenantId: string, verification: Verification): Promise<void> {
  const { counts, findings } = verification;
  const stored = await readTenant(options.db, tenantId);
  const versionByRecord = new Map<string, EntityVersion>();
  const events = new Set(stored.records.filter(({ raw }) => raw.format !== undefined).map(({ raw }) => raw._id));
  for (const version of [...stored.histories.values()].flat()) {
    const known = versionByRecord.get(version.record_id);
    // An event states many entities, each of them once.
    if (known !== undefined && (known.entity_id === version.entity_id || !events.has(version.record_id)))
      findings.add('record applied twice', version.record_id, `again as ${version.entity_id} v${version.version}`);
    versionByRecord.set(version.record_id, version);
  }
  verifyOutcomes(stored, versionByRecord, verification);

  const newest = new Map<string, EntityVersion>();
  for (const entityId of new Set([...stored.histories.keys(), ...stored.recordsOf.keys()])) {
    const history = stored.histories.get(entityId) ?? [];
    const records = stored.recordsOf.get(entityId) ?? [];
    checkChain(entityId, history, findings);
    const byEvents = [...records.map(({ raw }) => raw._id), ...history.map((one) => one.record_id)].some((id) =>
      events.has(id),
    );
    if (!byEvents && isOrdered(records)) checkAgainstRecords(tenantId, entityId, history, records, verification);
    else counts.unordered += 1;
    const last = history.at(-1);
    if (last === undefined) continue;
    newest.set(entityId, last);
    checkCurrent(stored.entities.get(entityId), last, findings);
    counts.deletedEntities += last.change === 'deleted' ? 1 : 0;
  }
  for (const id of stored.entities.keys()) if (!newest.has(id)) findings.add('invented entity', id, 'has no history');
  counts.entities += newest.size;
  counts.versions += [...stored.histories.values()].flat().length;

  if (options.changes !== undefined) {
    const { events, repeated } = checkChanges(options.changes, tenantId, stored.histories, findings);
    counts.events += events;
    counts.repeatedEvents += repeated;
  }
  const graph = await checkGraph(options.driver, tenantId, newest, findings);
  counts.nodes += graph.nodes;
  counts.pendingNodes += graph.pending;
  counts.edges += graph.edges;
}

/** Every raw record made a version, or is a dead letter, or changed nothing; and its batch is closed. */
function verifyOutcomes(
  stored: StoredTenant,
  versions: ReadonlyMap<string, EntityVersion>,
  verification: Verification,
): void {
  const { counts, findings, outcomes } = verification;
  for (const { raw } of stored.records) {
    const applied = versions.has(raw._id);
    const refused = stored.letters.has(raw._id);
    if (applied && refused) findings.add('applied and dead-lettered', raw._id, `of ${raw.entity_id}`);
    if (!stored.closedBatches.has(raw.batch_id))
      findings.add('open batch', raw.batch_id, `record ${raw._id} is not finished`);
    const outcome = applied ? 'applied' : refused ? 'dead-lettered' : 'unchanged';
    outcomes.set(raw._id, outcome);
    counts.records += 1;
    counts.applied += outcome === 'applied' ? 1 : 0;
    counts.deadLettered += outcome === 'dead-lettered' ? 1 : 0;
    counts.unchanged += outcome === 'unchanged' ? 1 : 0;
  }
  for (const id of [...versions.keys(), ...stored.letters]) {
    if (!outcomes.has(id)) findings.add('record from nowhere', id, 'has a version or a dead letter, but never arrived');
  }
}

function checkAgainstRecords(
  tenantId: string,
  entityId: string,
  history: readonly EntityVersion[],
  records: readonly ParsedRecord[],
  { findings, outcomes }: Verification,
): void {
  const expected = expectedHistory(tenantId, records);
  checkHistory(entityId, history, expected, findings);
  for (const [recordId, outcome] of expected.outcomes) {
    const found = outcomes.get(recordId);
    if (found !== outcome)
      findings.add('wrong outcome', recordId, `is ${found}, should be ${outcome} (entity ${entityId})`);
  }
}

/** Records of one partition have an order; those of several doors have none that can be told afterwards. */
function isOrdered(records: readonly ParsedRecord[]): boolean {
  return new Set(records.map(({ raw }) => raw.batch_id.slice(0, raw.batch_id.lastIndexOf(':')))).size <= 1;
}

interface StoredTenant {
  records: ParsedRecord[];
  recordsOf: Map<string, ParsedRecord[]>;
  histories: Map<string, EntityVersion[]>;
  entities: Map<string, Entity>;
  letters: Set<string>;
  closedBatches: Set<string>;
}

async function readTenant(db: Db, tenantId: string): Promise<StoredTenant> {
  const all = collections(db);
  const own = { tenant_id: tenantId };
  const [raw, versions, entities, letters, batches] = await Promise.all([
    all.rawRecords.find(own).sort({ batch_id: 1, seq: 1 }).toArray(),
    all.entityVersions.find(own).sort({ _id: 1 }).toArray(),
    all.entities.find(own).toArray(),
    all.deadLetters.find(own).project<{ _id: string }>({ _id: 1 }).toArray(),
    all.batches
      .find({ ...own, closed_at: { $exists: true } })
      .project<{ _id: string }>({ _id: 1 })
      .toArray(),
  ]);
  const records = raw.map(parseRaw).sort((a, b) => a.raw.seq - b.raw.seq);
  return {
    records,
    recordsOf: Map.groupBy(records, (record) => record.entityId),
    histories: Map.groupBy(
      versions.map((version) => decodeKeys<EntityVersion>(version)),
      (version) => version.entity_id,
    ),
    entities: new Map(entities.map((entity) => [entity.entity_id, decodeKeys<Entity>(entity)])),
    letters: new Set(letters.map(({ _id }) => _id)),
    closedBatches: new Set(batches.map(({ _id }) => _id)),
  };
}
