import type { Collection, Db } from 'mongodb';
import { LilyError } from '#domain/errors.ts';
import type { ScheduleDefinition } from '#domain/ingestion/schedule.ts';
import { limits } from '#domain/limits.ts';
import { TenantCollection } from './tenant-collection.ts';

/**
 * A schedule of a saved source, as its tenant wants it. Temporal's schedule is made from this, and holds what has become of
 * it: the next times, whether it is paused.
 */
export interface ScheduleDoc {
  _id: string;
  tenant_id: string;
  /** The saved source. */
  source_id: string;
  definition: ScheduleDefinition;
  created_by: string;
  created_at: Date;
  updated_by: string;
  updated_at: Date;
  /** Grows with each change. */
  revision: number;
  /** The revision that Temporal is known to have. */
  applied_revision: number;
  /** Since when it has the times that it has now. */
  timing_since: Date;
  /** Somebody has asked to delete it; what is left of it is being taken away. */
  deleting?: true;
}

export type NewSchedule = Pick<ScheduleDoc, '_id' | 'tenant_id' | 'definition' | 'created_by'>;

export type Schedules = ReturnType<typeof schedules>;

/** The schedules of tenants. */
export function schedules(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    /** Keeps a new schedule; the same id again finds the one that it made. @throws LilyError `conflict` beyond the limit */
    async create({ _id, tenant_id, definition, created_by }: NewSchedule): Promise<ScheduleDoc> {
      const earlier = await of(tenant_id).findOne({ _id });
      if (earlier !== null) return earlier;
      if ((await of(tenant_id).count({})) >= limits.schedulesPerTenant) {
        throw new LilyError('conflict', `A tenant may have ${limits.schedulesPerTenant} schedules. Delete one first.`);
      }
      const now = new Date();
      const document = {
        _id,
        tenant_id,
        source_id: definition.source_id,
        definition,
        created_by,
        created_at: now,
        updated_by: created_by,
        updated_at: now,
        revision: 1,
        applied_revision: 0,
        timing_since: now,
      };
      await of(tenant_id).insertOne(document);
      return document;
    },

    async get(tenantId: string, id: string): Promise<ScheduleDoc | undefined> {
      return (await of(tenantId).findOne({ _id: id, ...present })) ?? undefined;
    },

    /** Schedules, the newest first. */
    async list(
      tenantId: string,
      { source, before, limit }: { source?: string | undefined; before?: string | undefined; limit: number },
    ): Promise<ScheduleDoc[]> {
      const filter = {
        ...present,
        ...(source === undefined ? {} : { source_id: source }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
      };
      return of(tenantId).find(filter).sort({ _id: -1 }).limit(limit).toArray();
    },

    /** Replaces the definition unless the schedule has changed since it had this revision; undefined then. */
    async replace(
      tenantId: string,
      id: string,
      revision: number,
      change: { definition: ScheduleDefinition; timing_since: Date; updated_by: string },
    ): Promise<ScheduleDoc | undefined> {
      const { source_id } = change.definition;
      const set = { ...change, source_id, updated_at: new Date(), revision: revision + 1 };
      return (await of(tenantId).findOneAndUpdate({ _id: id, revision, ...present }, { $set: set })) ?? undefined;
    },

    /** Notes that Temporal has this revision. Answers whether the schedule is still wanted. */
    async applied(tenantId: string, id: string, revision: number): Promise<boolean> {
      const change = { $max: { applied_revision: revision } };
      return (await of(tenantId).updateOne({ _id: id, ...present }, change)).matchedCount > 0;
    },

    /** Marks a schedule as one that goes; undefined when there is none. One that is marked already is found again. */
    async markDeleting(tenantId: string, id: string): Promise<ScheduleDoc | undefined> {
      return (await of(tenantId).findOneAndUpdate({ _id: id }, { $set: { deleting: true } })) ?? undefined;
    },

    async remove(tenantId: string, id: string): Promise<void> {
      await of(tenantId).deleteMany({ _id: id });
    },
  };
}

/** Not on its way out. */
const present = { deleting: { $exists: false } };

/** Creates the indexes of schedules; harmless to repeat. */
export async function ensureScheduleIndexes(db: Db): Promise<void> {
  const all = collectionOf(db);
  await Promise.all([
    all.createIndex({ tenant_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, source_id: 1, _id: -1 }),
  ]);
}

function collectionOf(db: Db): Collection<ScheduleDoc> {
  return db.collection('schedules');
}
