import type { Collection, Db } from 'mongodb';
import type { LineageKind } from '#domain/openlineage/names.ts';
import type { LineageRunState } from '#domain/openlineage/run.ts';
import { TenantCollection, type TenantOperation } from './tenant-collection.ts';

/** The newest run of a job, as the lineage graph shows it. */
export interface LatestRun {
  run_id: string;
  state: LineageRunState;
  started_at: Date;
  ended_at?: Date;
  duration_ms?: number;
}

/**
 * A dataset or a job as readers of the lineage graph want it: ready to be sent. Follows from the entity's newest version, and
 * is never newer than that. `_id` is the entity's id.
 */
export interface LineageNodeDoc {
  _id: string;
  tenant_id: string;
  kind: LineageKind;
  namespace: string;
  name: string;
  /** The entity's version that this shows. */
  version: number;
  deleted: boolean;
  /** What does not depend on other nodes, as the JSON text of an object. */
  data: string;
  /** Ids of the datasets that a job reads, and writes. */
  inputs?: string[];
  outputs?: string[];
  latest_run?: LatestRun;
}

export type NewLineageNode = Omit<LineageNodeDoc, 'latest_run'>;

/** What one answer may still take in. Counted down while nodes are read; `exhausted` when there was more. */
export interface NodeBudget {
  nodes: number;
  /** Characters of what the nodes say. */
  chars: number;
  exhausted: boolean;
  /** Aborted once nobody waits for the answer. */
  signal: AbortSignal;
}

/** A page of a tenant's nodes, in the order of namespace and name. */
export interface NodePage {
  kind: LineageKind;
  namespace?: string | undefined;
  skip: number;
  limit: number;
}

export type LineageNodes = ReturnType<typeof lineageNodes>;

function collection(db: Db): Collection<LineageNodeDoc> {
  return db.collection('lineage_nodes');
}

/** Ids in one query. */
const chunk = 5_000;

/** Takes a node off the budget, if it has room. @throws the signal's reason once nobody waits */
function fits(node: LineageNodeDoc, budget: NodeBudget): boolean {
  budget.signal.throwIfAborted();
  const chars = node.data.length + charsPerId * ((node.inputs?.length ?? 0) + (node.outputs?.length ?? 0));
  if (budget.nodes < 1 || budget.chars < chars) {
    budget.exhausted = true;
    return false;
  }
  budget.nodes -= 1;
  budget.chars -= chars;
  return true;
}

/** Of the id of a dataset that a job reads or writes. */
const charsPerId = 36;

export function lineageNodes(db: Db) {
  const of = (tenantId: string) => new TenantCollection(collection(db), tenantId);

  return {
    /** Puts nodes in place of older versions of them. */
    async put(tenantId: string, nodes: NewLineageNode[]): Promise<void> {
      const operations = nodes.flatMap(({ _id, tenant_id: _tenant, ...node }): TenantOperation<LineageNodeDoc>[] => [
        // Two steps instead of one upsert by version, which would try to insert beside a newer one.
        { updateOne: { filter: { _id }, update: { $setOnInsert: { ...node, version: 0 } }, upsert: true } },
        { updateOne: { filter: { _id, version: { $lt: node.version } }, update: { $set: node } } },
      ]);
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: true });
    },

    /** Notes the newest run of each job; an older one never takes the place of a newer. */
    async noteRuns(tenantId: string, runs: ReadonlyMap<string, LatestRun>): Promise<void> {
      const operations = [...runs].map(([jobId, run]): TenantOperation<LineageNodeDoc> => ({
        updateOne: {
          filter: {
            _id: jobId,
            $or: [
              { latest_run: { $exists: false } },
              { 'latest_run.started_at': { $lte: run.started_at } },
              // Its beginning may become known last, and be earlier than was thought.
              { 'latest_run.run_id': run.run_id },
            ],
          },
          update: { $set: { latest_run: run } },
        },
      }));
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: false });
    },

    async byIds(tenantId: string, ids: string[], budget?: NodeBudget): Promise<LineageNodeDoc[]> {
      const found: LineageNodeDoc[] = [];
      for (let start = 0; start < ids.length && budget?.exhausted !== true; start += chunk) {
        const some = { _id: { $in: ids.slice(start, start + chunk) }, deleted: false };
        for await (const node of of(tenantId).find(some)) {
          if (budget !== undefined && !fits(node, budget)) break;
          found.push(node);
        }
      }
      return found;
    },

    /** The jobs that read or write any of the datasets, without those that are known, as far as the budget goes. */
    async jobsOf(
      tenantId: string,
      datasetIds: string[],
      known: ReadonlyMap<string, LineageNodeDoc>,
      budget: NodeBudget,
    ): Promise<LineageNodeDoc[]> {
      const jobs = new Map<string, LineageNodeDoc>();
      for (let start = 0; start < datasetIds.length; start += chunk) {
        const some = { $in: datasetIds.slice(start, start + chunk) };
        for (const filter of [{ inputs: some }, { outputs: some }]) {
          if (budget.exhausted) return [...jobs.values()];
          for await (const job of of(tenantId).find({ ...filter, deleted: false })) {
            if (known.has(job._id) || jobs.has(job._id)) continue;
            if (!fits(job, budget)) break;
            jobs.set(job._id, job);
          }
        }
      }
      return [...jobs.values()];
    },

    async page(tenantId: string, { kind, namespace, skip, limit }: NodePage): Promise<LineageNodeDoc[]> {
      return of(tenantId)
        .find({ kind, deleted: false, ...(namespace !== undefined && { namespace }) })
        .sort({ namespace: 1, name: 1 })
        .skip(skip)
        .limit(limit)
        .toArray();
    },

    async count(tenantId: string, { kind, namespace }: Pick<NodePage, 'kind' | 'namespace'>): Promise<number> {
      return of(tenantId).count({ kind, deleted: false, ...(namespace !== undefined && { namespace }) });
    },

    async namespaces(tenantId: string): Promise<string[]> {
      const found = await collection(db).distinct('namespace', { tenant_id: tenantId, deleted: false });
      return found.sort();
    },
  };
}

export async function ensureLineageNodeIndexes(db: Db): Promise<void> {
  const nodes = collection(db);
  await Promise.all([
    nodes.createIndex({ tenant_id: 1, kind: 1, namespace: 1, name: 1 }),
    nodes.createIndex({ tenant_id: 1, inputs: 1 }, { partialFilterExpression: { inputs: { $exists: true } } }),
    nodes.createIndex({ tenant_id: 1, outputs: 1 }, { partialFilterExpression: { outputs: { $exists: true } } }),
  ]);
}
