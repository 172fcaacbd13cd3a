import { MongoBulkWriteError, type Db } from 'mongodb';
import type { Entity, EntityVersion, Json } from '#domain/assets/entity.ts';
import { collections, type EntityDoc, type EntityVersionDoc } from './collections.ts';
import { decodeKeys, encodeKeys } from './odd-keys.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection, type TenantOperation } from './tenant-collection.ts';

export type Entities = ReturnType<typeof entities>;

/** A page of a tenant's entities, in the order of type and qualified name. */
export interface EntityPage {
  entityType?: string | undefined;
  qualifiedName?: string | undefined;
  /** The last entity of the page before. */
  after?: { entityType: string; qualifiedName: string } | undefined;
  limit: number;
}

/** What came of inserting versions in order. */
export interface VersionInsert {
  /** How many went in, from the front. */
  inserted: number;
  /** The first one whose number was taken; nothing behind it was tried. */
  taken?: EntityVersion;
}

/** Entities as they are now, and their histories. */
export function entities(db: Db) {
  const all = collections(db);
  const currentOf = (tenantId: string) => new TenantCollection(all.entities, tenantId);
  const versionsOf = (tenantId: string) => new TenantCollection(all.entityVersions, tenantId);

  return {
    /** The entity as it is now, deleted ones included. */
    async get(tenantId: string, entityId: string): Promise<Entity | undefined> {
      const document = await currentOf(tenantId).findOne({ _id: entityId });
      return document === null ? undefined : entityOf(document);
    },

    async getMany(tenantId: string, entityIds: string[]): Promise<Map<string, Entity>> {
      const found = await currentOf(tenantId)
        .find({ _id: { $in: entityIds } })
        .toArray();
      return new Map(found.map((document) => [document._id, entityOf(document)]));
    },

    /** The tenant's living entities by type and name, behind `after` when that is given. */
    async list(tenantId: string, page: EntityPage): Promise<Entity[]> {
      const { entityType, qualifiedName, after, limit } = page;
      const found = await currentOf(tenantId)
        .find({
          deleted: false,
          ...(entityType !== undefined && { entity_type: entityType }),
          ...(qualifiedName !== undefined && { qualified_name: qualifiedName }),
          ...(after !== undefined && {
            $or: [
              { entity_type: { $gt: after.entityType } },
              { entity_type: after.entityType, qualified_name: { $gt: after.qualifiedName } },
            ],
          }),
        })
        .sort({ entity_type: 1, qualified_name: 1 })
        .limit(limit)
        .toArray();
      return found.map(entityOf);
    },

    /** The version that was in force at the moment; undefined before the entity's first. */
    async asOf(tenantId: string, entityId: string, at: Date): Promise<EntityVersion | undefined> {
      const document = await versionsOf(tenantId).findOne(
        { ...historyOf(entityId), valid_from: { $lte: at } },
        { sort: { _id: -1 } },
      );
      return document === null ? undefined : versionOf(document);
    },

    /** The entity's history, newest first, below version `before` when that is given. */
    async versions(
      tenantId: string,
      entityId: string,
      page: { before?: number | undefined; limit: number },
    ): Promise<EntityVersion[]> {
      const filter = historyOf(entityId, page.before);
      const found = await versionsOf(tenantId).find(filter).sort({ _id: -1 }).limit(page.limit).toArray();
      return found.map(versionOf);
    },

    /** Of versions that were about to be inserted, those whose numbers are taken, as they stand; each entity's in order. */
    async standingOf(tenantId: string, versions: EntityVersion[]): Promise<EntityVersion[]> {
      const ids = versions.map((version) => versionId(version.entity_id, version.version));
      const found = await versionsOf(tenantId)
        .find({ _id: { $in: ids } })
        .sort({ _id: 1 })
        .toArray();
      return found.map(versionOf);
    },

    /** The versions that a batch has made, each entity's in order. */
    async versionsOfBatch(tenantId: string, batchId: string): Promise<EntityVersion[]> {
      const found = await versionsOf(tenantId).find({ batch_id: batchId }).toArray();
      return found.sort((a, b) => (a._id < b._id ? -1 : 1)).map(versionOf);
    },

    /** Inserts versions in their order, up to the first whose number is taken. */
    async insertVersions(tenantId: string, versions: EntityVersion[]): Promise<VersionInsert> {
      if (versions.length === 0) return { inserted: 0 };
      const documents = versions.map((version): EntityVersionDoc => ({
        _id: versionId(version.entity_id, version.version),
        ...encoded(version),
      }));
      try {
        await versionsOf(tenantId).insertMany(documents, { ordered: true });
        return { inserted: versions.length };
      } catch (error) {
        if (!(error instanceof MongoBulkWriteError) || duplicatesOnly(error) === undefined) throw error;
        const taken = versions[error.insertedCount];
        return taken === undefined ? { inserted: error.insertedCount } : { inserted: error.insertedCount, taken };
      }
    },

    /** Ends the validity of each version's predecessor. */
    async closePredecessors(tenantId: string, versions: EntityVersion[]): Promise<void> {
      const operations = versions
        .filter((version) => version.version > 1)
        .map((version): TenantOperation<EntityVersionDoc> => ({
          updateOne: {
            filter: { _id: versionId(version.entity_id, version.version - 1) },
            update: { $set: { valid_to: version.valid_from, is_current: false } },
          },
        }));
      if (operations.length > 0) await versionsOf(tenantId).bulkWrite(operations, { ordered: false });
    },

    /** Puts entities in place of their older versions; an entity that is newer already stays. */
    async putCurrent(tenantId: string, changed: (Entity & { record_id: string })[]): Promise<void> {
      const documents = changed.map((entity): EntityDoc => ({ _id: entity.entity_id, ...encoded(entity) }));
      const fresh = documents.filter((document) => document.version === 1);
      const later = documents.filter((document) => document.version > 1);
      await Promise.all([
        ignoreDuplicates(async () => {
          if (fresh.length > 0) await currentOf(tenantId).insertMany(fresh, { ordered: false });
        }),
        ignoreDuplicates(async () => {
          if (later.length > 0) await currentOf(tenantId).bulkWrite(later.map(replaceOlder), { ordered: false });
        }),
      ]);
    },

    /** Keeps what is not versioned, unless the entity has gone on to another version meanwhile: that one has its own. */
    async putFacts(
      tenantId: string,
      facts: ReadonlyMap<string, { version: number; statistics?: Record<string, Json>; source_id?: string }>,
    ): Promise<void> {
      const operations = [...facts].map(([entityId, { version, ...rest }]): TenantOperation<EntityDoc> => ({
        updateOne: {
          filter: { _id: entityId, version },
          update: { $set: encodeKeys(rest) },
        },
      }));
      if (operations.length > 0) await currentOf(tenantId).bulkWrite(operations, { ordered: false });
    },

    /** The living entities that belong to a crawled source. */
    async *idsOfSource(
      tenantId: string,
      sourceId: string,
    ): AsyncIterable<{ entity_id: string; entity_type: string; qualified_name: string }> {
      const cursor = currentOf(tenantId)
        .find({ source_id: sourceId, deleted: false })
        .project<{ entity_id: string; entity_type: string; qualified_name: string }>({
          _id: 0,
          entity_id: 1,
          entity_type: 1,
          qualified_name: 1,
        });
      yield* cursor;
    },
  };
}

function versionId(entityId: string, version: number): string {
  return `${entityId}:${String(version).padStart(10, '0')}`;
}

function historyOf(entityId: string, before?: number): { _id: { $gt: string; $lt: string } } {
  return { _id: { $gt: `${entityId}:`, $lt: before === undefined ? `${entityId};` : versionId(entityId, before) } };
}

function replaceOlder(document: EntityDoc): TenantOperation<EntityDoc> {
  return {
    replaceOne: {
      filter: { _id: document._id, version: { $lt: document.version } },
      replacement: document,
      upsert: true,
    },
  };
}

/** A duplicate key means that the same or a newer version is in place already. */
async function ignoreDuplicates(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (duplicatesOnly(error) === undefined) throw error;
  }
}

function encoded<T extends { attributes: unknown }>(value: T): T {
  return encodeKeys(value);
}

function entityOf(document: EntityDoc): Entity {
  const { _id, record_id: _recordId, ...entity } = document;
  return decodeKeys(entity);
}

function versionOf(document: EntityVersionDoc): EntityVersion {
  const { _id, ...version } = document;
  return decodeKeys(version);
}
