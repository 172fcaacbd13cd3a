import { MongoServerError, type Collection, type Db, type Document } from 'mongodb';
import type { Entity } from '#domain/assets/entity.ts';
import {
  dryRunOutcomes,
  type DryRunFinding,
  type DryRunOutcome,
  type DryRunPage,
  type DryRunState,
} from '#domain/ingestion/dry-run.ts';
import type { SourceProgress } from '#domain/ingestion/run.ts';
import type { PublicSource } from '#domain/ingestion/sources/kind.ts';
import { limits } from '#domain/limits.ts';
import { noCounts, type BatchCounts } from '#domain/transformation/batch.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A dry run, as it is kept for some days. `_id` is its id. */
export interface DryRunDoc {
  _id: string;
  tenant_id: string;
  source_id: string;
  /** What people may see of the source. */
  source: PublicSource;
  /** The whole source, sealed for this dry run. */
  sealed_source: string;
  workflow_id: string;
  actor: string;
  state: DryRunState;
  /** Why it failed, or why it cannot say what would be deleted. */
  reason?: string;
  progress?: SourceProgress;
  started_at: Date;
  ended_at?: Date;
  expires_at: Date;
  /** Which of its tenant's places for dry runs it takes while it is running. */
  seat?: number;
}

export type NewDryRun = Pick<
  DryRunDoc,
  '_id' | 'tenant_id' | 'source_id' | 'source' | 'sealed_source' | 'workflow_id' | 'actor'
>;

export type DryRunChange = Pick<DryRunDoc, 'state'> & { reason?: string | undefined };

/** `_id` is the dry run and the page, so that a page that is read again takes its own place. */
interface PageDoc extends DryRunPage {
  _id: string;
  tenant_id: string;
  dry_run_id: string;
  page: number;
  expires_at: Date;
}

/** An entity that a page of the dry run is about. `_id` is the dry run, the entity and the page. */
interface TouchedDoc {
  _id: string;
  tenant_id: string;
  dry_run_id: string;
  entity_id: string;
  page: number;
  /** The entity as the page would leave it, as JSON, if it would change it. */
  entity?: string;
  expires_at: Date;
}

export interface TouchedEntity {
  entityId: string;
  after?: Entity | undefined;
}

/** What is known of a dry run's findings. */
export interface DryRunFindings {
  counts: BatchCounts;
  /** The first of each outcome, in the order of their places. */
  findings: DryRunFinding[];
}

const duplicateKey = 11_000;

export type DryRuns = ReturnType<typeof dryRuns>;

/** What runs would do, kept for some days: nothing here is metadata. */
export function dryRuns(db: Db) {
  const all = collectionsOf(db);
  const of = (tenantId: string) => new TenantCollection(all.dryRuns, tenantId);
  const pagesOf = (tenantId: string) => new TenantCollection(all.pages, tenantId);
  const touchedOf = (tenantId: string) => new TenantCollection(all.touched, tenantId);

  return {
    /**
     * Keeps a new dry run on a free seat; the same id again finds the one that it made. Undefined when the tenant has as
     * many dry runs underway as it may. The unique index on seats decides between those that come at once.
     */
    async create(dryRun: NewDryRun, seats: number): Promise<DryRunDoc | undefined> {
      const { _id, tenant_id } = dryRun;
      for (;;) {
        const earlier = await of(tenant_id).findOne({ _id });
        if (earlier !== null) return earlier;
        const taken = new Set((await this.underway(tenant_id)).map(({ seat }) => seat));
        const seat = Array.from({ length: seats }, (_, index) => index + 1).find((number) => !taken.has(number));
        if (seat === undefined) return undefined;
        const fresh: DryRunDoc = { ...dryRun, state: 'running', started_at: new Date(), expires_at: expiry(), seat };
        try {
          await of(tenant_id).insertOne(fresh);
          return fresh;
        } catch (error) {
          if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
        }
      }
    },

    /** The tenant's dry runs that have not ended. */
    async underway(tenantId: string): Promise<DryRunDoc[]> {
      return of(tenantId).find({ state: 'running' }).toArray();
    },

    async get(tenantId: string, dryRunId: string): Promise<DryRunDoc | undefined> {
      return (await of(tenantId).findOne({ _id: dryRunId })) ?? undefined;
    },

    /** Ends it. One that has ended stays as it is. */
    async end(tenantId: string, dryRunId: string, { state, reason }: DryRunChange): Promise<void> {
      const change = { state, ended_at: new Date(), ...(reason === undefined ? {} : { reason }) };
      await of(tenantId).updateOne({ _id: dryRunId, state: 'running' }, { $set: change });
    },

    async advance(tenantId: string, dryRunId: string, progress: SourceProgress): Promise<void> {
      await of(tenantId).updateOne({ _id: dryRunId, state: 'running' }, { $set: { progress } });
    },

    /** Keeps what a page would do; kept again, it takes the place of what was kept before. */
    async putPage(
      tenantId: string,
      dryRunId: string,
      page: number,
      found: DryRunPage,
      touched: readonly TouchedEntity[],
    ): Promise<void> {
      const common = { tenant_id: tenantId, dry_run_id: dryRunId, page, expires_at: expiry() };
      const documents = touched.map(({ entityId, after }): TouchedDoc => ({
        _id: `${dryRunId}:${entityId}:${page}`,
        ...common,
        entity_id: entityId,
        ...(after === undefined ? {} : { entity: JSON.stringify(after) }),
      }));
      if (documents.length > 0) {
        await touchedOf(tenantId).bulkWrite(
          documents.map((replacement) => ({
            replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
          })),
          { ordered: false },
        );
      }
      const replacement: PageDoc = { _id: `${dryRunId}:${page}`, ...common, ...found };
      await pagesOf(tenantId).bulkWrite([
        { replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true } },
      ]);
    },

    /** The entities as the pages before this one would leave them, of those that are asked for. */
    async before(tenantId: string, dryRunId: string, page: number, entityIds: string[]): Promise<Map<string, Entity>> {
      const found = await touchedOf(tenantId)
        .find({ dry_run_id: dryRunId, entity_id: { $in: entityIds }, page: { $lt: page }, entity: { $exists: true } })
        .sort({ page: 1 })
        .toArray();
      return new Map(
        found.flatMap(({ entity_id, entity }) => (entity === undefined ? [] : [[entity_id, revived(entity)]])),
      );
    },

    /** The ids of the entities that the dry run has met. */
    async *seen(tenantId: string, dryRunId: string): AsyncIterable<string> {
      const cursor = touchedOf(tenantId)
        .find({ dry_run_id: dryRunId })
        .project<{ entity_id: string }>({ _id: 0, entity_id: 1 });
      for await (const { entity_id } of cursor) yield entity_id;
    },

    /** The numbers of all pages, and as many findings of each outcome as are shown: nothing else leaves the database. */
    async findings(tenantId: string, dryRunId: string): Promise<DryRunFindings> {
      const ofDryRun = { dry_run_id: dryRunId };
      const names = Object.keys(noCounts) as (keyof BatchCounts)[];
      const sums = Object.fromEntries(names.map((name) => [name, { $sum: `$counts.${name}` }]));
      const [total] = await pagesOf(tenantId).aggregate<BatchCounts>(ofDryRun, [
        { $group: { _id: null, ...sums } },
        { $project: { _id: 0 } },
      ]);
      const counts = total ?? noCounts;
      const samples = await Promise.all(
        dryRunOutcomes
          .filter((outcome) => counts[outcome] > 0)
          .map((outcome) => pagesOf(tenantId).aggregate<PlacedFinding>(ofDryRun, firstOf(outcome))),
      );
      const inOrder = samples.flat().toSorted((one, other) => one.page - other.page || one.index - other.index);
      return { counts, findings: inOrder.map(({ finding }) => finding) };
    },
  };
}

/** A finding with where it stands: its page, and its index among those that are kept of the page. */
interface PlacedFinding {
  page: number;
  index: number;
  finding: DryRunFinding;
}

/** The first findings of an outcome, page by page. */
function firstOf(outcome: DryRunOutcome): Document[] {
  return [
    { $match: { [`counts.${outcome}`]: { $gt: 0 } } },
    { $sort: { page: 1 } },
    { $unwind: { path: '$findings', includeArrayIndex: 'index' } },
    { $match: { 'findings.outcome': outcome } },
    { $limit: limits.dryRunFindings },
    { $project: { _id: 0, page: 1, index: { $toInt: '$index' }, finding: '$findings' } },
  ];
}

/** Creates the indexes of dry runs; harmless to repeat. */
export async function ensureDryRunIndexes(db: Db): Promise<void> {
  const { dryRuns: runs, pages, touched } = collectionsOf(db);
  const whenExpired = { expireAfterSeconds: 0 };
  await Promise.all([
    runs.createIndex({ expires_at: 1 }, whenExpired),
    runs.createIndex(
      { tenant_id: 1, seat: 1 },
      { unique: true, partialFilterExpression: { state: 'running', seat: { $exists: true } } },
    ),
    pages.createIndex({ expires_at: 1 }, whenExpired),
    touched.createIndex({ expires_at: 1 }, whenExpired),
    pages.createIndex({ dry_run_id: 1, page: 1 }),
    touched.createIndex({ dry_run_id: 1, entity_id: 1, page: 1 }),
  ]);
}

function collectionsOf(db: Db): {
  dryRuns: Collection<DryRunDoc>;
  pages: Collection<PageDoc>;
  touched: Collection<TouchedDoc>;
} {
  return {
    dryRuns: db.collection('dry_runs'),
    pages: db.collection('dry_run_pages'),
    touched: db.collection('dry_run_entities'),
  };
}

function expiry(): Date {
  return new Date(Date.now() + limits.dryRunHours * 3_600_000);
}

function revived(text: string): Entity {
  const entity = JSON.parse(text) as Entity;
  return { ...entity, created_at: new Date(entity.created_at), updated_at: new Date(entity.updated_at) };
}
