import { MongoServerError, type Collection, type Db } from 'mongodb';
import { LilyError } from '#domain/errors.ts';
import type { PublicSource } from '#domain/ingestion/sources/kind.ts';
import { limits } from '#domain/limits.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A source that a tenant has saved, to be read again and again. `_id` is a UUID of version 7. */
export interface SavedSourceDoc {
  _id: string;
  tenant_id: string;
  name: string;
  /** What the source says that it is: the `source_id` of its runs and entities. */
  place: string;
  /** What people may see of its options. */
  source: PublicSource;
  /** The whole options, sealed for this source of this tenant. */
  sealed_source: string;
  created_by: string;
  created_at: Date;
  updated_by: string;
  updated_at: Date;
  /** Grows with each change. */
  revision: number;
}

export type NewSavedSource = Pick<
  SavedSourceDoc,
  '_id' | 'tenant_id' | 'name' | 'place' | 'source' | 'sealed_source' | 'created_by'
>;

export type SourceChange = Pick<SavedSourceDoc, 'name' | 'place' | 'source' | 'sealed_source' | 'updated_by'>;

export type Sources = ReturnType<typeof sources>;

const duplicateKey = 11_000;

/** The saved sources of tenants. */
export function sources(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    /** Keeps a new source. The same id again finds the one that it made. @throws LilyError `conflict` for a name that is taken */
    async create(source: NewSavedSource): Promise<SavedSourceDoc> {
      const tenant = of(source.tenant_id);
      const now = new Date();
      const document = { ...source, created_at: now, updated_by: source.created_by, updated_at: now, revision: 1 };
      const earlier = await tenant.findOne({ _id: source._id });
      if (earlier !== null) return earlier;
      if ((await tenant.count({})) >= limits.sourcesPerTenant) {
        throw new LilyError('conflict', `A tenant may have ${limits.sourcesPerTenant} sources. Delete one first.`);
      }
      await namingTheClash(source.name, () => tenant.insertOne(document));
      return document;
    },

    async get(tenantId: string, id: string): Promise<SavedSourceDoc | undefined> {
      return (await of(tenantId).findOne({ _id: id })) ?? undefined;
    },

    /** Saved sources, the newest first. */
    async list(tenantId: string, { before, limit }: { before?: string | undefined; limit: number }) {
      const filter = before === undefined ? {} : { _id: { $lt: before } };
      return of(tenantId).find(filter).sort({ _id: -1 }).limit(limit).toArray();
    },

    /** Replaces what is kept of a source unless it has changed since it had this revision; undefined then. */
    async replace(
      tenantId: string,
      id: string,
      revision: number,
      change: SourceChange,
    ): Promise<SavedSourceDoc | undefined> {
      const set = { ...change, updated_at: new Date(), revision: revision + 1 };
      const replaced = await namingTheClash(change.name, () =>
        of(tenantId).findOneAndUpdate({ _id: id, revision }, { $set: set }),
      );
      return replaced ?? undefined;
    },

    /** Whether there was one to delete. */
    async remove(tenantId: string, id: string): Promise<boolean> {
      return (await of(tenantId).deleteMany({ _id: id })) > 0;
    },
  };
}

async function namingTheClash<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
    throw new LilyError('conflict', `There is a source named ${name} already.`, { field: '/name', cause: error });
  }
}

/** Creates the indexes of saved sources; harmless to repeat. */
export async function ensureSourceIndexes(db: Db): Promise<void> {
  const all = collectionOf(db);
  await Promise.all([
    all.createIndex({ tenant_id: 1, name: 1 }, { unique: true }),
    all.createIndex({ tenant_id: 1, _id: -1 }),
  ]);
}

function collectionOf(db: Db): Collection<SavedSourceDoc> {
  return db.collection('sources');
}
