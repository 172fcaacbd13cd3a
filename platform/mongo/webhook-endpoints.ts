import { MongoServerError, type Collection, type Db } from 'mongodb';
import type { WebhookKind } from '#domain/ingestion/webhook-kind.ts';
import { TenantCollection } from './tenant-collection.ts';

/** One secret of an endpoint, sealed for it. */
export interface SealedSecret {
  sealed: string;
  created_at: Date;
  /** When it ceases to hold; absent for the one that holds until it is replaced. */
  expires_at?: Date;
}

/** A place where a tenant takes webhooks. `_id` is the last part of its address, which cannot be guessed. */
export interface WebhookEndpointDoc {
  _id: string;
  tenant_id: string;
  /** What the tenant calls it; unique for the tenant. */
  source: string;
  /** What its webhooks are made into. */
  kind: WebhookKind;
  /** The mapping as JSON text, so that its keys may be anything; absent for the default one. */
  mapping?: string;
  secrets: SealedSecret[];
  /** Counts changes of the secrets, so that of two rotations at once one is refused. */
  revision: number;
  created_by: string;
  created_at: Date;
  updated_at: Date;
}

export type WebhookEndpoints = ReturnType<typeof webhookEndpoints>;

const duplicateKey = 11_000;

export function webhookEndpoints(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    /** Gives false, and changes nothing, when the tenant has an endpoint of that source already. */
    async insert(endpoint: WebhookEndpointDoc): Promise<boolean> {
      try {
        await of(endpoint.tenant_id).insertOne(endpoint);
        return true;
      } catch (error) {
        if (error instanceof MongoServerError && error.code === duplicateKey) return false;
        throw error;
      }
    },

    async get(tenantId: string, source: string): Promise<WebhookEndpointDoc | undefined> {
      return (await of(tenantId).findOne({ source })) ?? undefined;
    },

    async list(tenantId: string): Promise<WebhookEndpointDoc[]> {
      return of(tenantId).find({}).sort({ source: 1 }).toArray();
    },

    async count(tenantId: string): Promise<number> {
      return of(tenantId).count({});
    },

    async change(
      tenantId: string,
      source: string,
      { kind, mapping }: { kind: WebhookKind; mapping: string | undefined },
    ): Promise<WebhookEndpointDoc | undefined> {
      const set = { kind, updated_at: new Date() };
      const change =
        mapping === undefined ? { $set: set, $unset: { mapping: '' as const } } : { $set: { ...set, mapping } };
      return (await of(tenantId).findOneAndUpdate({ source }, change)) ?? undefined;
    },

    /** Gives undefined when the secrets have changed since `revision`. */
    async replaceSecrets(
      tenantId: string,
      source: string,
      revision: number,
      secrets: SealedSecret[],
    ): Promise<WebhookEndpointDoc | undefined> {
      const change = { $set: { secrets, revision: revision + 1, updated_at: new Date() } };
      return (await of(tenantId).findOneAndUpdate({ source, revision }, change)) ?? undefined;
    },

    async remove(tenantId: string, source: string): Promise<boolean> {
      return (await of(tenantId).deleteMany({ source })) > 0;
    },

    /** Whose endpoint an address is. The one look-up without a tenant: it is what tells the tenant. */
    async byAddress(id: string): Promise<WebhookEndpointDoc | undefined> {
      return (await all.findOne({ _id: id })) ?? undefined;
    },
  };
}

/** Creates the index of endpoints; harmless to repeat. */
export async function ensureWebhookIndexes(db: Db): Promise<void> {
  await collectionOf(db).createIndex({ tenant_id: 1, source: 1 }, { unique: true });
}

function collectionOf(db: Db): Collection<WebhookEndpointDoc> {
  return db.collection('webhook_endpoints');
}
