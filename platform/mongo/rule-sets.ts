import { MongoServerError, type Collection, type Db } from 'mongodb';
import type { RuleSetDefinition } from '#domain/transformation/rules/schema.ts';
import { TenantCollection } from './tenant-collection.ts';

/** One version of a tenant's transformation rules. It never changes. */
export interface RuleSetDoc {
  _id: string;
  tenant_id: string;
  version: number;
  /** A `RuleSetDefinition` as JSON: its keys are the tenant's, and MongoDB gives some of them a meaning. */
  definition: string;
  rules: number;
  created_at: Date;
  created_by: string;
}

/** Which version is switched on. One document a tenant; `_id` is the tenant. */
export interface ActiveRulesDoc {
  _id: string;
  tenant_id: string;
  version: number;
  /** What was switched on when and by whom, the newest last. */
  history: Activation[];
}

export interface Activation {
  version: number;
  at: Date;
  by: string;
}

export type RuleSets = ReturnType<typeof ruleSets>;

const duplicateKey = 11_000;
const historyLength = 500;

/** The versions of the tenants' transformation rules, and which one is active. */
export function ruleSets(db: Db) {
  const versions: Collection<RuleSetDoc> = db.collection('rule_sets');
  const active: Collection<ActiveRulesDoc> = db.collection('active_rules');
  const versionsOf = (tenantId: string) => new TenantCollection(versions, tenantId);
  const activeOf = (tenantId: string) => new TenantCollection(active, tenantId);

  return {
    /** Keeps a definition as the next version. */
    async add(tenantId: string, definition: RuleSetDefinition, actor: string): Promise<RuleSetDoc> {
      for (;;) {
        const [newest] = await versionsOf(tenantId).find({}).sort({ _id: -1 }).limit(1).toArray();
        const version = (newest?.version ?? 0) + 1;
        const document: RuleSetDoc = {
          _id: idOf(tenantId, version),
          tenant_id: tenantId,
          version,
          definition: JSON.stringify(definition),
          rules: definition.rules.length,
          created_at: new Date(),
          created_by: actor,
        };
        try {
          await versionsOf(tenantId).insertOne(document);
          return document;
        } catch (error) {
          // Somebody else took the number in this very moment.
          if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
        }
      }
    },

    async get(tenantId: string, version: number): Promise<RuleSetDoc | undefined> {
      return (await versionsOf(tenantId).findOne({ _id: idOf(tenantId, version) })) ?? undefined;
    },

    /** Versions, the newest first, without their definitions. */
    async list(
      tenantId: string,
      { before, limit }: { before?: number | undefined; limit: number },
    ): Promise<Omit<RuleSetDoc, 'definition'>[]> {
      return versionsOf(tenantId)
        .find(before === undefined ? {} : { _id: { $lt: idOf(tenantId, before) } }, { projection: { definition: 0 } })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
    },

    /**
     * The version that is switched on, 0 when none is. Read for every batch that lands, and not remembered: a mask that is
     * switched on holds for all that lands from then on.
     */
    async activeVersion(tenantId: string): Promise<number> {
      const found = await activeOf(tenantId).findOne({ _id: tenantId }, { projection: { version: 1 } });
      return found?.version ?? 0;
    },

    async activation(tenantId: string): Promise<{ version: number; history: Activation[] }> {
      const found = await activeOf(tenantId).findOne({ _id: tenantId });
      return { version: found?.version ?? 0, history: found?.history ?? [] };
    },

    /** Switches a version on, in one step. */
    async activate(tenantId: string, version: number, actor: string): Promise<void> {
      const entry: Activation = { version, at: new Date(), by: actor };
      await activeOf(tenantId).updateOne(
        { _id: tenantId },
        { $set: { version }, $push: { history: { $each: [entry], $slice: -historyLength } } },
        { upsert: true },
      );
    },
  };
}

/** In the order of versions. */
function idOf(tenantId: string, version: number): string {
  return `${tenantId}:${String(version).padStart(9, '0')}`;
}

/** Creates the index of rule sets; harmless to repeat. */
export async function ensureRuleSetIndexes(db: Db): Promise<void> {
  await db.collection('rule_sets').createIndex({ tenant_id: 1, _id: -1 });
}
