import { MongoServerError, type Collection, type Db } from 'mongodb';
import { isFinal, type RunProgress, type RunReport, type RunState } from '#domain/ingestion/run.ts';
import type { PublicSource } from '#domain/ingestion/sources/kind.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A run of a source, as it is kept. `_id` is the run's id. */
export interface RunDoc extends RunProgress {
  _id: string;
  tenant_id: string;
  source_id: string;
  /** What people may see of the source. */
  source: PublicSource;
  /** The whole source with its credentials, sealed for this run. */
  sealed_source: string;
  workflow_id: string;
  actor: string;
  started_at: Date;
  updated_at: Date;
  ended_at?: Date;
  /** Number of the last report. */
  revision: number;
  /** Present until the run ends. At most one document of a source has it. */
  active?: true;
}

export type NewRun = Pick<
  RunDoc,
  '_id' | 'tenant_id' | 'source_id' | 'source' | 'sealed_source' | 'workflow_id' | 'actor'
>;

export interface RunFilter {
  state?: RunState | undefined;
  /** Only runs that were started before this one. */
  before?: string | undefined;
  limit: number;
}

export type Runs = ReturnType<typeof runs>;

const duplicateKey = 11_000;

export function runs(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    /**
     * Claims the source for a new run. The unique index on active runs decides between two that come at once.
     * Answers the run that is active: this one, also when it was created before, or the one that holds the source.
     */
    async claim(run: NewRun): Promise<RunDoc> {
      const { tenant_id, source_id } = run;
      const now = new Date();
      const fresh: RunDoc = {
        ...run,
        state: 'running',
        counts: noCounts,
        pages: 0,
        activity: 'Waiting for a worker',
        started_at: now,
        updated_at: now,
        revision: 0,
        active: true,
      };
      try {
        await of(tenant_id).insertOne(fresh);
        return fresh;
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
      }
      const holder =
        (await of(tenant_id).findOne({ _id: run._id })) ?? (await of(tenant_id).findOne({ source_id, active: true }));
      // The one that held it has ended in this very moment.
      return holder ?? this.claim(run);
    },

    async get(tenantId: string, runId: string): Promise<RunDoc | undefined> {
      return (await of(tenantId).findOne({ _id: runId })) ?? undefined;
    },

    /** Runs, the newest first: their ids are in the order of time. */
    async list(tenantId: string, { state, before, limit }: RunFilter): Promise<RunDoc[]> {
      const filter = {
        ...(state === undefined ? {} : { state }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
      };
      return of(tenantId).find(filter).sort({ _id: -1 }).limit(limit).toArray();
    },

    /** Keeps a report unless a newer one is kept already. The report that ends a run also gives its source free. */
    async report(tenantId: string, runId: string, { progress, revision }: RunReport): Promise<void> {
      const { cursor, reason, ...rest } = progress;
      const now = new Date();
      const ended = isFinal(progress.state);
      const unset: Record<string, ''> = {};
      if (cursor === undefined) unset['cursor'] = '';
      if (reason === undefined) unset['reason'] = '';
      if (ended) unset['active'] = '';
      await of(tenantId).updateOne(
        { _id: runId, revision: { $lt: revision } },
        {
          $set: {
            ...rest,
            ...(cursor === undefined ? {} : { cursor }),
            ...(reason === undefined ? {} : { reason }),
            revision,
            updated_at: now,
            ...(ended ? { ended_at: now } : {}),
          },
          ...(Object.keys(unset).length === 0 ? {} : { $unset: unset }),
        },
      );
    },

    /** Ends a run whose workflow is gone, so that it does not hold its source for ever. */
    async abandon(tenantId: string, runId: string, reason: string): Promise<void> {
      const now = new Date();
      await of(tenantId).updateOne(
        { _id: runId, active: true },
        {
          $set: { state: 'failed', activity: 'Ended', reason, updated_at: now, ended_at: now },
          $unset: { active: '' },
        },
      );
    },
  };
}

/** Creates the indexes of runs; harmless to repeat. */
export async function ensureRunIndexes(db: Db): Promise<void> {
  const all = collectionOf(db);
  await Promise.all([
    all.createIndex({ tenant_id: 1, source_id: 1 }, { unique: true, partialFilterExpression: { active: true } }),
    all.createIndex({ tenant_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, state: 1, _id: -1 }),
  ]);
}

function collectionOf(db: Db): Collection<RunDoc> {
  return db.collection('ingestion_runs');
}
