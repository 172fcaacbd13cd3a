import { MongoServerError, type Collection, type Db } from 'mongodb';
import type { Json } from '#domain/assets/entity.ts';
import type { IntegrationKind } from '#domain/integrations/integration.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A secret as it is kept. Several are good at once while one takes another's place. */
export interface SealedSecret {
  secret_id: string;
  sealed: string;
  created_at: Date;
  created_by: string;
}

/** A foreign system that a tenant lets speak to Lily. */
export interface IntegrationDoc {
  /** Made by {@link integrationId}: an address belongs to one tenant only. */
  _id: string;
  tenant_id: string;
  kind: IntegrationKind;
  /** What the system's messages are known by: an account id, the end of a webhook's path. */
  address: string;
  settings: { [key: string]: Json };
  /** Oldest first. */
  secrets: SealedSecret[];
  created_at: Date;
  updated_at: Date;
}

/** Names one integration of one tenant. */
export interface IntegrationRef {
  tenantId: string;
  kind: IntegrationKind;
  address: string;
}

export type Integrations = ReturnType<typeof integrations>;

const duplicateKey = 11_000;

export function integrations(db: Db) {
  const all = collectionOf(db);
  const of = (tenantId: string) => new TenantCollection(all, tenantId);

  return {
    async get({ tenantId, kind, address }: IntegrationRef): Promise<IntegrationDoc | undefined> {
      return (await of(tenantId).findOne({ _id: integrationId(kind, address) })) ?? undefined;
    },

    /** Those of one kind, in the order of their addresses. */
    async list(tenantId: string, kind: IntegrationKind): Promise<IntegrationDoc[]> {
      return of(tenantId).find({ kind }).sort({ address: 1 }).limit(limits.integrationsPerKind).toArray();
    },

    /** Whose messages come from the address. Only for finding out who sent one: nothing of the tenant is shown to the sender. */
    async at(kind: IntegrationKind, address: string): Promise<IntegrationDoc | undefined> {
      return (await all.findOne({ _id: integrationId(kind, address) })) ?? undefined;
    },

    /**
     * Creates the integration, or changes its settings, and adds the secret if one is given.
     * @throws LilyError `conflict` when another tenant has the address, or when it has as many secrets as it may have
     */
    async put(
      ref: IntegrationRef,
      settings: IntegrationDoc['settings'],
      secret?: SealedSecret,
    ): Promise<IntegrationDoc> {
      const { tenantId, kind, address } = ref;
      const now = new Date();
      const room = secret === undefined ? {} : { [`secrets.${limits.secretsPerIntegration - 1}`]: { $exists: false } };
      try {
        await of(tenantId).updateOne(
          { _id: integrationId(kind, address), ...room },
          {
            $setOnInsert: { kind, address, created_at: now, ...(secret === undefined && { secrets: [] }) },
            $set: { settings, updated_at: now },
            ...(secret !== undefined && { $push: { secrets: secret } }),
          },
          { upsert: true },
        );
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
        const own = await this.get(ref);
        if (own === undefined) throw taken();
        if (own.secrets.length >= limits.secretsPerIntegration) throw full();
        // Two of ours came at once, and the other one created it.
        return this.put(ref, settings, secret);
      }
      const found = await this.get(ref);
      if (found === undefined) throw new LilyError('conflict', 'The integration was removed in this very moment.');
      return found;
    },

    /** Whether there was such a secret. */
    async removeSecret({ tenantId, kind, address }: IntegrationRef, secretId: string): Promise<boolean> {
      const { modifiedCount } = await of(tenantId).updateOne(
        { _id: integrationId(kind, address), 'secrets.secret_id': secretId },
        { $pull: { secrets: { secret_id: secretId } }, $set: { updated_at: new Date() } },
      );
      return modifiedCount === 1;
    },

    /** Whether there was such an integration. */
    async remove({ tenantId, kind, address }: IntegrationRef): Promise<boolean> {
      return (await of(tenantId).deleteMany({ _id: integrationId(kind, address) })) === 1;
    },
  };
}

export function integrationId(kind: IntegrationKind, address: string): string {
  return `${kind}:${address}`;
}

/** Creates the indexes of integrations; harmless to repeat. */
export async function ensureIntegrationIndexes(db: Db): Promise<void> {
  await collectionOf(db).createIndex({ tenant_id: 1, kind: 1, address: 1 });
}

function taken(): LilyError {
  return new LilyError('conflict', 'This is registered already. If it is yours, ask the operators.');
}

function full(): LilyError {
  const most = limits.secretsPerIntegration;
  return new LilyError('conflict', `It has ${most} secrets, the most that it may have. Remove one first.`);
}

function collectionOf(db: Db): Collection<IntegrationDoc> {
  return db.collection('integrations');
}
