import { MongoServerError, type Collection, type Db, type Filter } from 'mongodb';
import {
  isFinal,
  retriableStates,
  type FinalRunState,
  type RunPosition,
  type RunProgress,
  type RunReport,
  type RunState,
  type RunTrigger,
} from '#domain/ingestion/run.ts';
import type { PublicSource } from '#domain/ingestion/sources/kind.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { TenantCollection } from './tenant-collection.ts';

/** One try at a run: the first, or one that went on where the one before had stopped. */
export interface RunAttempt {
  /** Counts from 1. */
  number: number;
  workflow_id: string;
  actor: string;
  started_at: Date;
  /** What had been read before it began. */
  read_before: number;
  ended_at?: Date;
  state?: FinalRunState;
  reason?: string;
}

/** A run of a source, as it is kept. `_id` is the run's id. */
export interface RunDoc extends RunProgress {
  _id: string;
  tenant_id: string;
  source_id: string;
  /** What people may see of the source. */
  source: PublicSource;
  /** The whole source with its credentials, sealed for this run. */
  sealed_source: string;
  saved_source_id?: string;
  workflow_id: string;
  actor: string;
  trigger?: RunTrigger;
  schedule_id?: string;
  /** The nominal time of a scheduled run, without jitter. */
  scheduled_for?: Date;
  /** `{schedule}@{nominal time}`: no two runs have the same one, so each time of a schedule is run at most once. */
  occasion?: string;
  /** Its schedule's jitter has passed by then at the latest: until it asks for its turn, or until then, it holds up nobody. */
  not_before?: Date;
  rerun_of?: string;
  started_at: Date;
  updated_at: Date;
  ended_at?: Date;
  /** Number of the last report. */
  revision: number;
  /** Where it stands, as of the last report. */
  position?: RunPosition;
  attempts?: RunAttempt[];
  /** Present until the run ends. At most one document of a source has it. */
  active?: true;
  /** Which of its tenant's places it has taken; present while it is active. */
  seat?: number;
}

type Origin = 'saved_source_id' | 'trigger' | 'schedule_id' | 'scheduled_for' | 'occasion' | 'not_before' | 'rerun_of';

export type NewRun = Pick<
  RunDoc,
  '_id' | 'tenant_id' | 'source_id' | 'source' | 'sealed_source' | 'workflow_id' | 'actor' | Origin
>;

export interface RunFilter {
  state?: RunState | undefined;
  /** A saved source's id, or what the source says that it is. */
  source?: string | undefined;
  schedule?: string | undefined;
  startedFrom?: Date | undefined;
  startedBefore?: Date | undefined;
  /** Only runs that were started before this one. */
  before?: string | undefined;
  limit: number;
}

/**
 * What became of an attempt to get hold of a source: `claimed` by the run (also when it had been before), `held` by another
 * run, or `full`: the tenant has as many active runs as it may.
 */
export type Claim = { outcome: 'claimed'; run: RunDoc } | { outcome: 'held'; holder: RunDoc } | { outcome: 'full' };

export type Runs = ReturnType<typeof runs>;

const duplicateKey = 11_000;

export function runs(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  /** The lowest of the tenant's places that is free. */
  const freeSeat = async (tenantId: string, seats: number): Promise<number | undefined> => {
    const active = await of(tenantId)
      .find({ active: true }, { projection: { seat: 1 } })
      .toArray();
    const taken = new Set(active.map(({ seat }) => seat));
    return Array.from({ length: seats }, (_, index) => index + 1).find((seat) => !taken.has(seat));
  };

  /**
   * Lets `take` write a document that is active on a free seat. The unique indexes on active runs decide between those
   * that come at once. `take` answers null when there is no run (any more) that could be made active.
   */
  const occupy = async (
    { tenantId, sourceId, runId }: { tenantId: string; sourceId: string; runId: string },
    seats: number,
    take: (seat: number) => Promise<RunDoc | null>,
  ): Promise<Claim | undefined> => {
    for (;;) {
      const seat = await freeSeat(tenantId, seats);
      if (seat !== undefined) {
        try {
          const run = await take(seat);
          return run === null ? undefined : { outcome: 'claimed', run };
        } catch (error) {
          if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
        }
      }
      const holder =
        (await of(tenantId).findOne({ _id: runId, active: true })) ??
        (await of(tenantId).findOne({ source_id: sourceId, active: true }));
      if (holder !== null)
        return holder._id === runId ? { outcome: 'claimed', run: holder } : { outcome: 'held', holder };
      if (seat === undefined) return { outcome: 'full' };
      // The one that held it has ended in this very moment, or another run took the same seat.
    }
  };

  return {
    /** Claims the source for a new run. The same run again finds what it claimed, also when it has ended. */
    async claim(run: NewRun, seats: number): Promise<Claim> {
      const { _id: runId, tenant_id: tenantId, source_id: sourceId } = run;
      const earlier = await of(tenantId).findOne({ _id: runId });
      if (earlier !== null) return { outcome: 'claimed', run: earlier };
      const claim = await occupy({ tenantId, sourceId, runId }, seats, async (seat) => {
        const fresh = { ...newDocument(run, 'running', 'Waiting for a worker'), ...activeOn(seat) };
        const document: RunDoc = { ...fresh, attempts: [firstAttempt(fresh, run.actor)] };
        await of(tenantId).insertOne(document);
        return document;
      });
      if (claim === undefined) throw new Error('a new run was neither claimed nor held');
      return claim;
    },

    /**
     * Keeps a scheduled run that does not hold its source yet. Answers the run of this occasion, which may be an earlier one.
     */
    async announce(run: NewRun): Promise<RunDoc> {
      const fresh = newDocument(run, 'waiting', 'Waiting for the source');
      try {
        await of(run.tenant_id).insertOne(fresh);
        return fresh;
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
        const sameOccasion =
          run.occasion === undefined ? null : await of(run.tenant_id).findOne({ occasion: run.occasion });
        // One that has been ended as it waited has no occasion any more.
        return sameOccasion ?? (await of(run.tenant_id).findOne({ _id: run._id })) ?? this.announce(run);
      }
    },

    /** Claims the source for a run that waits; undefined when it waits no more. Answers the same when asked again. */
    async claimWaiting(run: RunDoc, workflowId: string, seats: number): Promise<Claim | undefined> {
      const { _id: runId, tenant_id: tenantId, source_id: sourceId } = run;
      return occupy({ tenantId, sourceId, runId }, seats, async (seat) => {
        const now = new Date();
        const change = {
          ...activeOn(seat),
          state: 'running' as const,
          activity: 'Waiting for a worker',
          workflow_id: workflowId,
          started_at: now,
          updated_at: now,
        };
        const attempts = [firstAttempt({ ...run, ...change }, run.actor)];
        const claimed = await of(tenantId).findOneAndUpdate(
          { _id: runId, state: 'waiting' },
          { $set: { ...change, attempts } },
        );
        return claimed ?? (await of(tenantId).findOne({ _id: runId, active: true }));
      });
    },

    /** Notes that the run still waits, and for what: for others, not for its jitter any more. */
    async keepWaiting(tenantId: string, runId: string, activity: string): Promise<void> {
      const change = { $set: { activity, updated_at: new Date() }, $unset: { not_before: '' as const } };
      await of(tenantId).updateOne({ _id: runId, state: 'waiting' }, change);
    },

    /** How many runs of a schedule wait, for their jitter or for others; those that nobody has heard of lately are dead. */
    async waitingOf(tenantId: string, scheduleId: string, heardOfSince: Date): Promise<number> {
      const alive = { $or: [{ updated_at: { $gte: heardOfSince } }, { not_before: { $gte: heardOfSince } }] };
      return of(tenantId).count({ schedule_id: scheduleId, state: 'waiting', ...alive });
    },

    /**
     * Another run that waits for the same source and came first, if there is one that was heard of lately. One that its
     * schedule has put off does not wait for the source yet.
     */
    async waitingBefore(run: RunDoc, heardOfSince: Date): Promise<RunDoc | undefined> {
      const { _id, tenant_id, source_id } = run;
      const filter: Filter<RunDoc> = {
        source_id,
        state: 'waiting',
        _id: { $lt: _id },
        updated_at: { $gte: heardOfSince },
        $or: [{ not_before: { $exists: false } }, { not_before: { $lte: new Date() } }],
      };
      return (await of(tenant_id).findOne(filter)) ?? undefined;
    },

    /** Ends a run that waits, without it having read anything. Its occasion may be made up for by another run. */
    async endWaiting(
      tenantId: string,
      runId: string,
      state: 'skipped' | 'cancelled' | 'failed',
      reason: string,
    ): Promise<void> {
      const now = new Date();
      const set = { state, reason, activity: 'Ended', updated_at: now, ended_at: now };
      await of(tenantId).updateOne({ _id: runId, state: 'waiting' }, { $set: set, $unset: { occasion: '' } });
    },

    /**
     * Makes a run that ended active again, for one more attempt. Undefined when it is not one that may go on, or is active.
     * The next report must have a higher revision than the document then has.
     */
    async reopen(run: RunDoc, attempt: RunAttempt, seats: number): Promise<Claim | undefined> {
      const { _id: runId, tenant_id: tenantId, source_id: sourceId, revision } = run;
      return occupy({ tenantId, sourceId, runId }, seats, (seat) =>
        of(tenantId).findOneAndUpdate(
          { _id: runId, revision, state: { $in: [...retriableStates] }, active: { $exists: false } },
          {
            $set: {
              ...activeOn(seat),
              state: 'running',
              activity: 'Waiting for a worker',
              workflow_id: attempt.workflow_id,
              revision: revision + 1,
              updated_at: attempt.started_at,
            },
            $push: { attempts: attempt },
            $unset: { ended_at: '', reason: '' },
          },
        ),
      );
    },

    async get(tenantId: string, runId: string): Promise<RunDoc | undefined> {
      return (await of(tenantId).findOne({ _id: runId })) ?? undefined;
    },

    /** Runs, the newest first: their ids are in the order of time. */
    async list(tenantId: string, filter: RunFilter): Promise<RunDoc[]> {
      return of(tenantId).find(queryOf(filter)).sort({ _id: -1 }).limit(filter.limit).toArray();
    },

    /** Which of the schedule's nominal times in a range have a run, as milliseconds since 1970. */
    async occasionsOf(tenantId: string, scheduleId: string, from: Date, to: Date): Promise<Set<number>> {
      const filter = { schedule_id: scheduleId, occasion: { $exists: true }, scheduled_for: { $gte: from, $lte: to } };
      const found = await of(tenantId)
        .find(filter, { projection: { scheduled_for: 1 } })
        .toArray();
      return new Set(found.map(({ scheduled_for }) => scheduled_for?.getTime() ?? 0));
    },

    /** Keeps a report unless a newer one is kept already. The report that ends a run also gives its source free. */
    async report(tenantId: string, runId: string, { progress, revision, position }: RunReport): Promise<void> {
      const { cursor, reason, progress: share, incomplete, ...rest } = progress;
      const now = new Date();
      const ended = isFinal(progress.state);
      const optional = { cursor, reason, progress: share, incomplete };
      const unset = Object.fromEntries(
        Object.entries({ ...optional, ...(ended ? { active: undefined, seat: undefined } : {}) })
          .filter(([, value]) => value === undefined)
          .map(([name]) => [name, '' as const]),
      );
      await of(tenantId).updateOne(
        { _id: runId, revision: { $lt: revision } },
        {
          $set: {
            ...rest,
            ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
            position,
            revision,
            updated_at: now,
            ...(ended ? { ended_at: now, ...attemptEnd(now, progress.state, reason) } : {}),
          },
          ...(Object.keys(unset).length === 0 ? {} : { $unset: unset }),
        },
        ended ? openAttempt : {},
      );
    },

    /** Ends a run whose workflow is gone, so that it does not hold its source for ever. */
    async abandon(tenantId: string, runId: string, reason: string): Promise<void> {
      const now = new Date();
      const end = { state: 'failed', activity: 'Ended', reason, updated_at: now, ended_at: now } as const;
      await of(tenantId).updateOne(
        { _id: runId, active: true },
        { $set: { ...end, ...attemptEnd(now, 'failed', reason) }, $unset: { active: '', seat: '' } },
        openAttempt,
      );
      await of(tenantId).updateOne({ _id: runId, state: 'waiting' }, { $set: end, $unset: { occasion: '' } });
    },
  };
}

/** What was last reported of the run. */
export function progressOf({
  state,
  counts,
  pages,
  cursor,
  progress,
  incomplete,
  activity,
  reason,
}: RunDoc): RunProgress {
  return {
    state,
    counts,
    pages,
    activity,
    ...(cursor === undefined ? {} : { cursor }),
    ...(progress === undefined ? {} : { progress }),
    ...(incomplete === undefined ? {} : { incomplete }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function newDocument(run: NewRun, state: 'running' | 'waiting', activity: string): RunDoc {
  const now = new Date();
  return { ...run, state, activity, counts: noCounts, pages: 0, started_at: now, updated_at: now, revision: 0 };
}

function activeOn(seat: number): { active: true; seat: number } {
  return { active: true, seat };
}

function firstAttempt({ workflow_id, started_at }: RunDoc, actor: string): RunAttempt {
  return { number: 1, workflow_id, actor, started_at, read_before: 0 };
}

/** The attempt that has not ended: an update that ends it is given this. */
const openAttempt = { arrayFilters: [{ 'open.ended_at': { $exists: false } }] };

function attemptEnd(at: Date, state: RunState, reason: string | undefined): Record<string, unknown> {
  return {
    'attempts.$[open].ended_at': at,
    'attempts.$[open].state': state,
    ...(reason === undefined ? {} : { 'attempts.$[open].reason': reason }),
  };
}

function queryOf({ state, source, schedule, startedFrom, startedBefore, before }: RunFilter): Filter<RunDoc> {
  const time = {
    ...(startedFrom === undefined ? {} : { $gte: startedFrom }),
    ...(startedBefore === undefined ? {} : { $lt: startedBefore }),
  };
  return {
    ...(state === undefined ? {} : { state }),
    ...(source === undefined ? {} : { $or: [{ source_id: source }, { saved_source_id: source }] }),
    ...(schedule === undefined ? {} : { schedule_id: schedule }),
    ...(Object.keys(time).length === 0 ? {} : { started_at: time }),
    ...(before === undefined ? {} : { _id: { $lt: before } }),
  };
}

/** Creates the indexes of runs; harmless to repeat. */
export async function ensureRunIndexes(db: Db): Promise<void> {
  const all = collectionOf(db);
  const active = { unique: true, partialFilterExpression: { active: true } };
  await Promise.all([
    all.createIndex({ tenant_id: 1, source_id: 1 }, active),
    all.createIndex({ tenant_id: 1, seat: 1 }, active),
    all.createIndex(
      { tenant_id: 1, occasion: 1 },
      { unique: true, partialFilterExpression: { occasion: { $exists: true } } },
    ),
    all.createIndex({ tenant_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, state: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, source_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, saved_source_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, schedule_id: 1, _id: -1 }),
  ]);
}

function collectionOf(db: Db): Collection<RunDoc> {
  return db.collection('ingestion_runs');
}
