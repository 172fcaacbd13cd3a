import type { Collection, Db } from 'mongodb';
import { summaryOf, type LineageRunState, type RunFacts, type RunSummary } from '#domain/openlineage/run.ts';
import { decodeKeys, encodeKeys } from './odd-keys.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A run of a job, from what OpenLineage events said of it. `_id` is the tenant and the run's id. */
export interface LineageRunDoc {
  _id: string;
  tenant_id: string;
  run_id: string;
  /** The entity of the job. */
  job_id: string;
  state: LineageRunState;
  started_at: Date;
  facts: RunFacts;
  summary: RunSummary;
  /** Counts the writes: whoever writes has read the one before. */
  revision: number;
  created_at: Date;
  updated_at: Date;
}

export interface RunQuery {
  jobId?: string | undefined;
  state?: LineageRunState | undefined;
  /** The last run of the page before. */
  after?: { startedAt: Date; runId: string } | undefined;
  /** Runs to leave out at the beginning. */
  skip?: number | undefined;
  limit: number;
}

export type LineageRuns = ReturnType<typeof lineageRuns>;

function collection(db: Db): Collection<LineageRunDoc> {
  return db.collection('lineage_runs');
}

function runKey(tenantId: string, runId: string): string {
  return `${tenantId}|${runId}`;
}

/** Runs of jobs, with their states and durations. */
export function lineageRuns(db: Db) {
  const of = (tenantId: string) => new TenantCollection(collection(db), tenantId);

  async function load(tenantId: string, runIds: string[]): Promise<Map<string, LineageRunDoc>> {
    const found = await of(tenantId)
      .find({ _id: { $in: runIds.map((runId) => runKey(tenantId, runId)) } })
      .toArray();
    return new Map(found.map((document) => [document.run_id, runOf(document)]));
  }

  /** Writes what was changed since it was read; answers the ids of those that somebody else wrote meanwhile. */
  async function write(tenantId: string, documents: LineageRunDoc[]): Promise<string[]> {
    const encoded = documents.map((document) => encodeKeys(document));
    const [fresh, known] = [encoded.filter((one) => one.revision === 1), encoded.filter((one) => one.revision > 1)];
    let conflicts = false;
    if (fresh.length > 0) {
      try {
        await of(tenantId).insertMany(fresh, { ordered: false });
      } catch (error) {
        if (duplicatesOnly(error) === undefined) throw error;
        conflicts = true;
      }
    }
    if (known.length > 0) {
      const { matchedCount } = await of(tenantId).bulkWrite(
        known.map((document) => ({
          replaceOne: { filter: { _id: document._id, revision: document.revision - 1 }, replacement: document },
        })),
        { ordered: false },
      );
      conflicts ||= matchedCount < known.length;
    }
    return conflicts ? documents.map((document) => document.run_id) : [];
  }

  return {
    /**
     * Changes runs by what `change` makes of each, from what is stored. It may be called again for a run that somebody else
     * wrote meanwhile, and must come to the same when what it adds is there already.
     * @returns the runs as they are now
     */
    async update(
      tenantId: string,
      runIds: string[],
      change: (runId: string, before: RunFacts | undefined) => { jobId: string; facts: RunFacts },
    ): Promise<Map<string, RunFacts>> {
      const settled = new Map<string, RunFacts>();
      for (let open = runIds; open.length > 0;) {
        const stored = await load(tenantId, open);
        const now = new Date();
        const documents: LineageRunDoc[] = [];
        for (const runId of open) {
          const before = stored.get(runId);
          const { jobId, facts } = change(runId, before?.facts);
          settled.set(runId, facts);
          if (before !== undefined && JSON.stringify(before.facts) === JSON.stringify(facts)) continue;
          const summary = summaryOf(facts);
          documents.push({
            _id: runKey(tenantId, runId),
            tenant_id: tenantId,
            run_id: runId,
            job_id: jobId,
            state: summary.state,
            started_at: new Date(summary.startedAt),
            facts,
            summary,
            revision: (before?.revision ?? 0) + 1,
            created_at: before?.created_at ?? now,
            updated_at: now,
          });
        }
        open = await write(tenantId, documents);
      }
      return settled;
    },

    async get(tenantId: string, runId: string): Promise<LineageRunDoc | undefined> {
      const document = await of(tenantId).findOne({ _id: runKey(tenantId, runId) });
      return document === null ? undefined : runOf(document);
    },

    /** The tenant's runs, the latest begun first. */
    async list(tenantId: string, { jobId, state, after, skip = 0, limit }: RunQuery): Promise<LineageRunDoc[]> {
      const found = await of(tenantId)
        .find({
          ...(jobId !== undefined && { job_id: jobId }),
          ...(state !== undefined && { state }),
          ...(after !== undefined && {
            $or: [
              { started_at: { $lt: after.startedAt } },
              { started_at: after.startedAt, _id: { $lt: runKey(tenantId, after.runId) } },
            ],
          }),
        })
        .sort({ started_at: -1, _id: -1 })
        .skip(skip)
        .limit(limit)
        .toArray();
      return found.map(runOf);
    },

    async count(tenantId: string, { jobId }: { jobId: string }): Promise<number> {
      return of(tenantId).count({ job_id: jobId });
    },
  };
}

function runOf(document: LineageRunDoc): LineageRunDoc {
  return decodeKeys(document);
}

export async function ensureLineageRunIndexes(db: Db): Promise<void> {
  await Promise.all([
    collection(db).createIndex({ tenant_id: 1, job_id: 1, started_at: -1, _id: -1 }),
    collection(db).createIndex({ tenant_id: 1, started_at: -1, _id: -1 }),
  ]);
}
