import { MongoServerError, type Collection, type Db } from 'mongodb';
import type { Difference } from '#domain/transformation/difference.ts';
import {
  isJobFinal,
  type JobKind,
  type JobProgress,
  type JobReport,
  type LetterFilter,
  type RawRange,
} from '#domain/transformation/job.ts';
import { TenantCollection } from './tenant-collection.ts';

/** What a replay is to do. */
export interface ReplayTask {
  filter: LetterFilter;
  /** This letter only. */
  record_id?: string;
  /** Apply over what is newer, too. */
  force: boolean;
}

/** What a reprocessing is to do. */
export interface ReprocessTask extends RawRange {
  dry_run: boolean;
}

/** One entity that a dry run would change. */
export interface JobSample {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
  change: 'created' | 'updated' | 'deleted';
  differences: Difference[];
}

/** A replay or a reprocessing, as it is kept. */
export interface JobDoc extends JobProgress {
  _id: string;
  tenant_id: string;
  kind: JobKind;
  replay?: ReplayTask;
  reprocess?: ReprocessTask;
  /** JSON of the samples by page, for a dry run: their keys are the tenants'. */
  samples: { page: number; items: string }[];
  workflow_id: string;
  actor: string;
  /** Who paused, resumed and cancelled it. */
  actions: { action: string; by: string; at: Date }[];
  started_at: Date;
  updated_at: Date;
  ended_at?: Date;
  revision: number;
}

export type NewJob = Pick<JobDoc, '_id' | 'tenant_id' | 'kind' | 'replay' | 'reprocess' | 'workflow_id' | 'actor'>;

export type TransformationJobs = ReturnType<typeof transformationJobs>;

const mostSamplePages = 50;
const duplicateKey = 11_000;

export function transformationJobs(db: Db) {
  const all: Collection<JobDoc> = db.collection('transformation_jobs');
  const of = (tenantId: string) => new TenantCollection(all, tenantId);
  return {
    /** Keeps a new job; one that is there already stays as it is. */
    async create(job: NewJob): Promise<JobDoc> {
      const now = new Date();
      const fresh: JobDoc = {
        ...job,
        state: 'running',
        activity: 'Waiting for a worker',
        pages: 0,
        counts: {},
        samples: [],
        actions: [],
        started_at: now,
        updated_at: now,
        revision: 0,
      };
      try {
        await of(job.tenant_id).insertOne(fresh);
        return fresh;
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
      }
      return (await of(job.tenant_id).findOne({ _id: job._id })) ?? fresh;
    },

    async get(tenantId: string, kind: JobKind, jobId: string): Promise<JobDoc | undefined> {
      return (await of(tenantId).findOne({ _id: jobId, kind })) ?? undefined;
    },

    /** Jobs, the newest first: their ids are in the order of time. */
    async list(
      tenantId: string,
      kind: JobKind,
      page: { before?: string | undefined; limit: number },
    ): Promise<JobDoc[]> {
      return of(tenantId)
        .find({ kind, ...(page.before !== undefined && { _id: { $lt: page.before } }) }, { projection: { samples: 0 } })
        .sort({ _id: -1 })
        .limit(page.limit)
        .toArray();
    },

    /** Jobs that have said nothing since, and have not ended. */
    async silentSince(tenantId: string, kind: JobKind, since: Date): Promise<JobDoc[]> {
      return of(tenantId)
        .find({ kind, state: { $in: ['running', 'paused'] }, updated_at: { $lt: since } })
        .limit(100)
        .toArray();
    },

    /** Keeps a report unless a newer one is kept already. */
    async report(tenantId: string, jobId: string, { progress, revision }: JobReport): Promise<void> {
      const now = new Date();
      await of(tenantId).updateOne(
        { _id: jobId, revision: { $lt: revision } },
        { $set: { ...progress, revision, updated_at: now, ...(isJobFinal(progress.state) && { ended_at: now }) } },
      );
    },

    /** Keeps what a page would change, once. */
    async addSample(tenantId: string, jobId: string, page: number, items: JobSample[]): Promise<void> {
      await of(tenantId).updateOne(
        { _id: jobId, 'samples.page': { $ne: page } },
        { $push: { samples: { $each: [{ page, items: JSON.stringify(items) }], $slice: mostSamplePages } } },
      );
    },

    /** Notes who did what to it. */
    async note(tenantId: string, jobId: string, action: string, by: string): Promise<void> {
      await of(tenantId).updateOne({ _id: jobId }, { $push: { actions: { action, by, at: new Date() } } });
    },

    /** Ends a job whose workflow is gone. */
    async abandon(tenantId: string, jobId: string, reason: string): Promise<void> {
      const now = new Date();
      await of(tenantId).updateOne(
        { _id: jobId, state: { $in: ['running', 'paused'] } },
        { $set: { state: 'failed', activity: 'Ended', reason, updated_at: now, ended_at: now } },
      );
    },
  };
}

/** Creates the indexes of jobs; harmless to repeat. */
export async function ensureTransformationJobIndexes(db: Db): Promise<void> {
  await db.collection('transformation_jobs').createIndex({ tenant_id: 1, kind: 1, _id: -1 });
}
