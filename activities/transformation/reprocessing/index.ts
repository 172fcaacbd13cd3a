import { heartbeat } from '@temporalio/activity';
import type { Json } from '#domain/assets/entity.ts';
import { jobBatchId, type JobRef, type JobReport } from '#domain/transformation/job.ts';
import { differences } from '#domain/transformation/difference.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { ArrivedRecord, NewRawRecord, RawRecords } from '#platform/mongo/raw-records.ts';
import type { RuleSets } from '#platform/mongo/rule-sets.ts';
import type { JobSample, ReprocessTask, TransformationJobs } from '#platform/mongo/transformation-jobs.ts';
import type { RulesOf } from '../rules/batch-rules.ts';
import { recompute, type Recomputed } from './recompute.ts';

export interface ReprocessingDeps {
  rawRecords: Pick<RawRecords, 'arrived' | 'said' | 'saidSince' | 'records' | 'sourcesOf' | 'land'>;
  deadLetters: Pick<DeadLetters, 'getMany'>;
  entities: Pick<Entities, 'get' | 'versions'>;
  jobs: Pick<TransformationJobs, 'get' | 'report' | 'addSample'>;
  ruleSets: Pick<RuleSets, 'activeVersion'>;
  rules: RulesOf;
}

export interface ReprocessPage {
  job: JobRef;
  page: number;
  cursor?: string;
}

export type ReprocessCounts = Record<
  'records' | 'entities' | 'unchanged' | 'changing' | 'dropped' | 'rejected' | 'skipped',
  number
>;

export interface ReprocessedPage {
  /** Absent when nothing of the page is to change. */
  batchId?: string;
  counts: ReprocessCounts;
  /** Absent after the last page. */
  nextCursor?: string;
}

export type ReprocessingActivities = ReturnType<typeof reprocessingActivities>;

/** Raw records of one page. */
const recordsPerPage = 500;
/** Entities recomputed side by side. */
const atOnce = 16;
/** Entities that one page of a dry run shows, and places where each differs. */
const samplesPerPage = 5;
const differencesPerSample = 20;
const sampleBytes = 16 * 1024;

/**
 * The steps of `reprocessRawRecords`. An entity is recomputed from all that was said of it, at the page where the newest of
 * it stands: once in a job, and never from an old record that a newer one has replaced.
 */
export function reprocessingActivities(deps: ReprocessingDeps) {
  const { rawRecords, jobs } = deps;

  return {
    /** Recomputes the entities of a page under today's rules, and lands what differs. */
    async reprocessPage({ job, page, cursor }: ReprocessPage): Promise<ReprocessedPage> {
      const { tenantId, jobId } = job;
      const counts: ReprocessCounts = {
        records: 0,
        entities: 0,
        unchanged: 0,
        changing: 0,
        dropped: 0,
        rejected: 0,
        skipped: 0,
      };
      const task = (await jobs.get(tenantId, 'reprocess', jobId))?.reprocess;
      if (task === undefined) return { counts };
      const arrived = await rawRecords.arrived(tenantId, {
        from: new Date(task.from),
        to: new Date(task.to),
        door: task.filter.door,
        after: cursor === undefined ? undefined : parsePlace(cursor),
        limit: recordsPerPage,
      });
      const rules = await deps.rules(tenantId, await deps.ruleSets.activeVersion(tenantId));
      const wanted = await fromSource(deps, tenantId, task, arrived);
      const changes = await recomputeAll(deps, tenantId, task, rules, wanted, counts);
      counts.records = arrived.length;
      const last = arrived.length === recordsPerPage ? arrived.at(-1) : undefined;
      const next = last === undefined ? {} : { nextCursor: placeOf(last) };
      if (task.dry_run) {
        if (changes.length > 0)
          await jobs.addSample(tenantId, jobId, page, changes.slice(0, samplesPerPage).map(sampleOf));
        return { counts, ...next };
      }
      if (changes.length === 0) return { counts, ...next };
      const ref = { tenantId, batchId: jobBatchId('reprocess', job, String(page)), source: 'reprocess' };
      await rawRecords.land(
        ref,
        changes.map((change, seq) => recordOf(job, change, seq)),
      );
      return { batchId: ref.batchId, counts, ...next };
    },

    async saveReprocessing(job: JobRef, report: JobReport): Promise<void> {
      await jobs.report(job.tenantId, job.jobId, report);
    },
  };
}

/** The records whose batch came from the wanted source. */
async function fromSource(
  deps: ReprocessingDeps,
  tenantId: string,
  { filter: { source } }: ReprocessTask,
  arrived: ArrivedRecord[],
): Promise<ArrivedRecord[]> {
  if (source === undefined) return arrived;
  const sources = await deps.rawRecords.sourcesOf(tenantId, [...new Set(arrived.map(({ batch_id }) => batch_id))]);
  return arrived.filter(({ batch_id }) => sources.get(batch_id) === source);
}

type Change = Extract<Recomputed, { kind: 'changing' }>;

async function recomputeAll(
  deps: ReprocessingDeps,
  tenantId: string,
  task: ReprocessTask,
  rules: RuleSet | undefined,
  arrived: ArrivedRecord[],
  counts: ReprocessCounts,
): Promise<Change[]> {
  const ids = new Set(arrived.map(({ _id }) => _id));
  const entityIds = [...new Set(arrived.map(({ entity_id }) => entity_id))];
  const changes: Change[] = [];
  for (let from = 0; from < entityIds.length; from += atOnce) {
    heartbeat();
    const some = entityIds.slice(from, from + atOnce);
    const recomputed = await Promise.all(
      some.map((entityId) =>
        recompute(deps, { tenantId, entityId, rules, newestIn: ids, entityType: task.filter.entity_type }),
      ),
    );
    for (const one of recomputed) {
      if (one.kind === 'elsewhere') continue;
      counts.entities += 1;
      counts[one.kind] += 1;
      if (one.kind === 'changing') changes.push(one);
    }
  }
  return changes;
}

/** A raw record that makes the pipeline compute the entity anew. It is bound to the version that was compared. */
function recordOf({ jobId }: JobRef, { entityId, newest, version, body }: Change, seq: number): NewRawRecord {
  return {
    recordId: `${newest._id}~${jobId}`,
    seq,
    entityId,
    receivedAt: new Date(),
    door: newest.door,
    actor: newest.actor,
    derived: true,
    repeats: newest._id,
    expectedVersion: version,
    ...(body.kind === 'of' ? { body: '', bodyOf: body.recordId } : { body: body.text }),
  };
}

function sampleOf({ entityId, entityType, qualifiedName, change, before, after }: Change): JobSample {
  const found = differences(before as unknown as Json, after as unknown as Json, differencesPerSample);
  const fits = JSON.stringify(found).length <= sampleBytes;
  return {
    metadata_id: entityId,
    entity_type: entityType,
    qualified_name: qualifiedName,
    change,
    differences: fits ? found : found.map(({ path }) => ({ path })),
  };
}

function placeOf({ received_at, _id }: ArrivedRecord): string {
  return `${received_at.getTime()}:${_id}`;
}

function parsePlace(cursor: string): { receivedAt: Date; recordId: string } {
  const colon = cursor.indexOf(':');
  return { receivedAt: new Date(Number(cursor.slice(0, colon))), recordId: cursor.slice(colon + 1) };
}
