import type { Collection, Db } from 'mongodb';
import type { Role } from '#domain/access/principal.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A static key that a client signs in with. The key itself is not kept, only its digest. */
export interface ApiKeyDoc {
  /** The key's id, which may be shown and named. */
  _id: string;
  tenant_id: string;
  name: string;
  roles: Role[];
  /** SHA-256 of the key, lower-case hex. A key has 256 random bits, so a plain digest gives nothing away. */
  digest: string;
  created_by: string;
  created_at: Date;
  expires_at?: Date;
  last_used_at?: Date;
  revoked_at?: Date;
  revoked_by?: string;
}

export interface ApiKeys {
  create(key: ApiKeyDoc): Promise<void>;
  /** The tenant's keys, revoked ones included, the newest first; below `before` when that is given. */
  list(tenantId: string, page: { before?: string | undefined; limit: number }): Promise<ApiKeyDoc[]>;
  get(tenantId: string, keyId: string): Promise<ApiKeyDoc | undefined>;
  /** Ends a key. Again for one that has ended is harmless; undefined when the tenant has no such key. */
  revoke(tenantId: string, keyId: string, by: string): Promise<ApiKeyDoc | undefined>;
  /** The key with this digest that is neither revoked nor expired, whoever's it is: this is where a tenant comes from. */
  findValid(digest: string): Promise<ApiKeyDoc | undefined>;
  noteUse(tenantId: string, keyId: string, at: Date): Promise<void>;
}

function collection(db: Db): Collection<ApiKeyDoc> {
  return db.collection('api_keys');
}

export function apiKeys(db: Db): ApiKeys {
  const all = collection(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    async create(key) {
      await of(key.tenant_id).insertOne(key);
    },

    async list(tenantId, { before, limit }) {
      return of(tenantId)
        .find(before === undefined ? {} : { _id: { $lt: before } })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
    },

    async get(tenantId, keyId) {
      return (await of(tenantId).findOne({ _id: keyId })) ?? undefined;
    },

    async revoke(tenantId, keyId, by) {
      await of(tenantId).updateOne(
        { _id: keyId, revoked_at: { $exists: false } },
        { $set: { revoked_at: new Date(), revoked_by: by } },
      );
      return (await of(tenantId).findOne({ _id: keyId })) ?? undefined;
    },

    async findValid(digest) {
      const key = await all.findOne({ digest, revoked_at: { $exists: false } });
      if (key === null || (key.expires_at !== undefined && key.expires_at <= new Date())) return undefined;
      return key;
    },

    async noteUse(tenantId, keyId, at) {
      await of(tenantId).updateOne({ _id: keyId }, { $max: { last_used_at: at } });
    },
  };
}

export async function ensureApiKeyIndexes(db: Db): Promise<void> {
  await Promise.all([
    collection(db).createIndex({ digest: 1 }, { unique: true }),
    collection(db).createIndex({ tenant_id: 1, _id: -1 }),
  ]);
}
