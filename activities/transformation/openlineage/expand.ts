import type { IngestRecord } from '#domain/assets/record.ts';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import { limits } from '#domain/limits.ts';
import { readEvent, type EventDataset, type LineageEvent, type RunEvent } from '#domain/openlineage/event.ts';
import {
  columnQualifiedName,
  lineageQualifiedName,
  lineageTypes,
  type LineageKind,
  type LineageName,
} from '#domain/openlineage/names.ts';
import { emptyRun, summaryOf, withEvent, type RunFacts } from '#domain/openlineage/run.ts';
import type { BatchRef } from '#domain/transformation/batch.ts';
import type { DeadLetter } from '#domain/transformation/dead-letter.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import { metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import type { LatestRun } from '#platform/mongo/lineage-nodes.ts';
import type { LineageRuns } from '#platform/mongo/lineage-runs.ts';
import type { AppliedState, OpenLineageState, OpenLineageStateDoc } from '#platform/mongo/openlineage-state.ts';
import { reject, withRules, type Stated } from '../prepare.ts';
import { DatasetStatement, datasetChange } from './dataset.ts';
import { keptFacets } from './facets.ts';
import { jobChange, JobStatement } from './job.ts';

export interface ExpansionDeps {
  openLineage: Pick<OpenLineageState, 'load' | 'claim'>;
  lineageRuns: Pick<LineageRuns, 'update'>;
}

/** What a batch of events comes to. */
export interface Expansion {
  /** One record an entity, the rules applied, each with the last event that had a part in it. */
  records: Stated[];
  /** Events that cannot be processed, of each one. */
  letters: DeadLetter[];
  /** What holds once the records are stored. */
  applied: AppliedState[];
  /** Entities of which not all is stored that the events state. */
  refusedEntities: Set<string>;
  /** Assertions that began to fail, or hold again. */
  reports: IncidentReport[];
  /** Of each job in the batch, the latest of its runs. */
  latestRuns: Map<string, LatestRun>;
  /** The records that are events. */
  eventIds: Set<string>;
}

interface Received {
  raw: RawRecordDoc;
  lineage: LineageEvent;
}

/** Something that the batch speaks of, with the events that do, in the order of their arrival. */
interface Mentioned<Statement> {
  statement: Statement;
  origins: RawRecordDoc[];
}

/**
 * Turns a batch of events into records of entities: one for each entity that they change, however many events speak of it,
 * and none for what has been applied already. Runs are written on the way. A rule that fails on an entity refuses every event
 * that speaks of it, and nothing of those is in the records: an event is taken in as a whole or not at all. Doing it again comes to the same, or, once the
 * batch is applied, to no records.
 */
export async function expandEvents(
  deps: ExpansionDeps,
  { tenantId, batchId }: BatchRef,
  raws: readonly RawRecordDoc[],
  rules: RuleSet | undefined,
): Promise<Expansion> {
  const letters: DeadLetter[] = [];
  const received = raws.flatMap((raw): Received[] => {
    const read = readRaw(raw);
    if ('letter' in read) letters.push(read.letter);
    return 'letter' in read ? [] : [{ raw, lineage: read.lineage }];
  });
  const idOf = entityIds(tenantId);
  const all = gather(received, idOf);
  const [states, runs] = await Promise.all([
    deps.openLineage.load(tenantId, [...all.datasets.keys(), ...all.jobs.keys()]),
    writeRuns(deps, tenantId, all.runEvents, idOf),
  ]);
  const known: Known = { states, runs, idOf, rules };

  let changes = changesOf(all, known);
  const refused = new Map<string, DeadLetter>();
  // Without the events that are refused the others come to something else.
  while (changes.refused.size > 0) {
    for (const [recordId, letter] of changes.refused) refused.set(recordId, letter);
    const accepted = received.filter(({ raw }) => !refused.has(raw._id));
    changes = changesOf(gather(accepted, idOf), known);
  }
  const { records, applied, reports, refusedEntities } = changes;
  await deps.openLineage.claim(
    tenantId,
    batchId,
    applied.map(({ entityId, columns = [] }) => ({ entityId, columns, loaded: states.get(entityId) })),
  );
  return {
    records,
    letters: [...letters, ...refused.values()],
    applied,
    refusedEntities,
    reports,
    latestRuns: latestOf(runs, idOf),
    eventIds: new Set(raws.map((raw) => raw._id)),
  };
}

interface Known {
  states: ReadonlyMap<string, OpenLineageStateDoc>;
  runs: ReadonlyMap<string, RunFacts>;
  idOf: EntityIds;
  rules: RuleSet | undefined;
}

interface Changes extends Pick<Expansion, 'records' | 'applied' | 'reports' | 'refusedEntities'> {
  /** The events that rules fail on, by record. */
  refused: Map<string, DeadLetter>;
}

/** What the events come to, under the rules. */
function changesOf({ datasets, jobs }: Gathered, { states, runs, idOf, rules }: Known): Changes {
  const changes: Changes = {
    records: [],
    applied: [],
    reports: [],
    refusedEntities: new Set(),
    refused: new Map(),
  };
  const state = (entityId: string, record: IngestRecord, origins: RawRecordDoc[]): void => {
    const origin = origins.at(-1);
    if (origin === undefined) return;
    const ruled = withRules(origin, record, rules);
    if (ruled.ok) changes.records.push({ origin, record: ruled.record });
    // Once the rule is another one, the same event has to state it again.
    else changes.refusedEntities.add(entityId);
    // An event states many entities: a rule that drops one of them does not refuse the event.
    if (ruled.ok || ruled.letter.reason === 'dropped-by-rule') return;
    const { reason, detail, rule } = ruled.letter;
    for (const raw of origins) changes.refused.set(raw._id, reject(raw, reason, detail, rule).letter);
  };
  for (const [entityId, { statement, origins }] of datasets) {
    const before = states.get(entityId);
    const facets = statement.changesTo(before);
    const failing = before?.failing ?? [];
    const reported = statement.assertions.reports(statement.name, failing);
    const isKnown = before?.facets !== undefined && before.claim === undefined;
    if (facets.length === 0 && reported.length === 0 && isKnown) continue;
    changes.reports.push(...reported);
    const change = datasetChange(statement.name, facets, before);
    for (const path of change.dropped) state(entityId, droppedColumn(statement.name, path), origins);
    for (const record of change.records) state(entityId, record, origins);
    changes.applied.push({ entityId, ...change.applied, failing: statement.assertions.changes(failing) });
  }
  for (const [entityId, { statement, origins }] of jobs) {
    const before = states.get(entityId);
    const change = jobChange(statement, before, statement.datasetsAfter(before, runs, idOf.dataset));
    if (change === undefined) continue;
    state(entityId, change.record, origins);
    changes.applied.push({ entityId, ...change.applied });
  }
  return changes;
}

function readRaw(raw: RawRecordDoc): { lineage: LineageEvent } | { letter: DeadLetter } {
  if (raw.fault !== undefined) return reject(raw, raw.fault.reason, raw.fault.detail);
  let body: unknown;
  try {
    body = JSON.parse(raw.body);
  } catch (error) {
    return reject(raw, 'malformed-json', error instanceof Error ? error.message : 'The event is not JSON');
  }
  const read = readEvent(body);
  if (!read.ok) {
    const faults = read.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'event'}: ${message}`);
    return reject(raw, 'invalid-record', faults.join('; '));
  }
  const long = namesOf(read.lineage).find((name) => lineageQualifiedName(name).length > limits.qualifiedNameLength);
  if (long === undefined) return { lineage: read.lineage };
  const detail = `a name is longer than ${limits.qualifiedNameLength} characters together with its namespace`;
  return reject(raw, 'invalid-record', detail);
}

function namesOf({ kind, event }: LineageEvent): LineageName[] {
  if (kind === 'dataset') return [event.dataset];
  return [event.job, ...(event.inputs ?? []), ...(event.outputs ?? [])];
}

interface EntityIds {
  dataset: (name: LineageName) => string;
  job: (name: LineageName) => string;
}

/** Ids by name, each worked out once a batch. */
function entityIds(tenantId: string): EntityIds {
  const of = (kind: LineageKind): ((name: LineageName) => string) => {
    const known = new Map<string, string>();
    return (name) => {
      const qualifiedName = lineageQualifiedName(name);
      const id = known.get(qualifiedName) ?? metadataId(tenantId, lineageTypes[kind], qualifiedName);
      known.set(qualifiedName, id);
      return id;
    };
  };
  return { dataset: of('dataset'), job: of('job') };
}

interface Gathered {
  datasets: Map<string, Mentioned<DatasetStatement>>;
  jobs: Map<string, Mentioned<JobStatement>>;
  /** The events of each run, in the order of their arrival. */
  runEvents: Map<string, RunEvent[]>;
}

/** Collects what all events say of each dataset, job and run. */
function gather(received: readonly Received[], idOf: EntityIds): Gathered {
  const datasets = new Map<string, Mentioned<DatasetStatement>>();
  const jobs = new Map<string, Mentioned<JobStatement>>();
  const runEvents = new Map<string, RunEvent[]>();

  const mentionDataset = (raw: RawRecordDoc, dataset: EventDataset): void => {
    const { statement } = mentioned(datasets, idOf.dataset(dataset), raw, () => new DatasetStatement(dataset));
    statement.add(dataset, raw);
  };
  const mentionJob = (raw: RawRecordDoc, name: LineageName): JobStatement =>
    mentioned(jobs, idOf.job(name), raw, () => new JobStatement(name)).statement;

  for (const { raw, lineage } of received) {
    if (lineage.kind === 'dataset') {
      mentionDataset(raw, lineage.event.dataset);
      continue;
    }
    const { event } = lineage;
    for (const dataset of [...(event.inputs ?? []), ...(event.outputs ?? [])]) mentionDataset(raw, dataset);
    const job = mentionJob(raw, event.job);
    if (lineage.kind === 'job') {
      job.add(event.job, event);
      continue;
    }
    const runId = lineage.event.run.runId.toLowerCase();
    job.add(event.job, event, runId);
    const parent = parentOf(lineage.event);
    if (parent !== undefined && idOf.job(parent) !== idOf.job(event.job)) {
      job.parent = parent;
      mentionJob(raw, parent);
    }
    const events = runEvents.get(runId);
    if (events === undefined) runEvents.set(runId, [lineage.event]);
    else events.push(lineage.event);
  }
  return { datasets, jobs, runEvents };
}

function mentioned<Statement>(
  known: Map<string, Mentioned<Statement>>,
  id: string,
  raw: RawRecordDoc,
  make: () => Statement,
): Mentioned<Statement> {
  const mention = known.get(id) ?? { statement: make(), origins: [] };
  known.set(id, mention);
  if (mention.origins.at(-1) !== raw) mention.origins.push(raw);
  return mention;
}

function parentOf(event: RunEvent): LineageName | undefined {
  const facets = event.run.facets;
  if (facets?.['parent'] === undefined && facets?.['parentRun'] === undefined) return undefined;
  const job = summaryOf(withEvent(emptyRun(event), event, keptFacets(facets))).parent?.job;
  if (job === undefined || job.name.length > limits.nameLength) return undefined;
  return lineageQualifiedName(job).length > limits.qualifiedNameLength ? undefined : job;
}

function writeRuns(
  { lineageRuns }: ExpansionDeps,
  tenantId: string,
  runEvents: Gathered['runEvents'],
  idOf: EntityIds,
): Promise<Map<string, RunFacts>> {
  return lineageRuns.update(tenantId, [...runEvents.keys()], (runId, before) => {
    const events = runEvents.get(runId) ?? [];
    let facts = before;
    for (const event of events) facts = withEvent(facts ?? emptyRun(event), event, keptFacets(event.run.facets));
    if (facts === undefined) throw new Error(`the run ${runId} has no events`);
    return { jobId: idOf.job(facts.job), facts };
  });
}

function latestOf(runs: ReadonlyMap<string, RunFacts>, idOf: EntityIds): Map<string, LatestRun> {
  const latest = new Map<string, LatestRun>();
  for (const run of runs.values()) {
    const { state, startedAt, endedAt, durationMs } = summaryOf(run);
    const jobId = idOf.job(run.job);
    const known = latest.get(jobId);
    if (known !== undefined && known.started_at.getTime() > startedAt) continue;
    latest.set(jobId, {
      run_id: run.runId,
      state,
      started_at: new Date(startedAt),
      ...(endedAt !== undefined && { ended_at: new Date(endedAt) }),
      ...(durationMs !== undefined && { duration_ms: durationMs }),
    });
  }
  return latest;
}

function droppedColumn(dataset: LineageName, path: string): IngestRecord {
  return { op: 'delete', entity_type: lineageTypes.column, qualified_name: columnQualifiedName(dataset, path) };
}
