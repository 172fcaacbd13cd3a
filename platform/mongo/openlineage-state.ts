import type { Collection, Db } from 'mongodb';
import { TenantCollection, type TenantOperation } from './tenant-collection.ts';

/**
 * What OpenLineage events have said of a dataset or a job so far, as digests: an event that says it again changes nothing,
 * and is known to without a look at the entities. `_id` is the entity's id.
 */
export interface OpenLineageStateDoc {
  _id: string;
  tenant_id: string;
  /** Of each facet that has been applied, its digest and name, as `digest name`. Absent while that is not certain. */
  facets?: string[];
  /** Columns that have been made, at the least: what is no longer a column is looked for among them. */
  columns?: string[];
  /** Keys of a dataset's assertions that fail. */
  failing?: string[];
  /** Ids of the datasets that a job reads, and writes. */
  inputs?: string[];
  outputs?: string[];
  /** The moment of the event that stated a job's datasets as a whole. */
  stated_at?: Date;
  /** The batch that is applying something else than is stated here. */
  claim?: string;
  /** Another batch held the claim when this one took it: what came of the two together is not certain. */
  contended?: boolean;
}

/** What holds once a batch has been applied. */
export interface AppliedState {
  entityId: string;
  facets: string[];
  columns?: string[];
  failing?: string[];
  inputs?: string[];
  outputs?: string[];
  statedAt?: Date;
}

export type OpenLineageState = ReturnType<typeof openLineageState>;

function collection(db: Db): Collection<OpenLineageStateDoc> {
  return db.collection('openlineage_state');
}

/**
 * A batch claims what it is about to change before it stores anything, and says what holds after it has: so a crash between,
 * or two batches at once, leave a state that is known to be uncertain, and never one that is wrong.
 */
export function openLineageState(db: Db) {
  const of = (tenantId: string) => new TenantCollection(collection(db), tenantId);

  return {
    async load(tenantId: string, entityIds: string[]): Promise<Map<string, OpenLineageStateDoc>> {
      if (entityIds.length === 0) return new Map();
      const found = await of(tenantId)
        .find({ _id: { $in: entityIds } })
        .toArray();
      return new Map(found.map((document) => [document._id, document]));
    },

    /** Claims what is about to change, together with the columns that may come to be. */
    async claim(tenantId: string, batchId: string, changes: { entityId: string; columns: string[] }[]): Promise<void> {
      const operations = changes.map(({ entityId, columns }): TenantOperation<OpenLineageStateDoc> => ({
        updateOne: {
          filter: { _id: entityId },
          update: [
            {
              $set: {
                contended: {
                  $or: [
                    { $ifNull: ['$contended', false] },
                    { $not: { $in: [{ $ifNull: ['$claim', batchId] }, [batchId]] } },
                  ],
                },
                claim: batchId,
                columns: { $setUnion: [{ $ifNull: ['$columns', []] }, { $literal: columns }] },
              },
            },
          ],
          upsert: true,
        },
      }));
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: false });
    },

    /** Says what holds now, where the claim is still this batch's; where it was contended, that it is not certain. */
    async settle(tenantId: string, batchId: string, applied: AppliedState[]): Promise<void> {
      const operations = applied.flatMap((state): TenantOperation<OpenLineageStateDoc>[] => [
        {
          updateOne: {
            filter: { _id: state.entityId, claim: batchId, contended: false },
            update: {
              $set: {
                facets: state.facets,
                ...(state.columns !== undefined && { columns: state.columns }),
                ...(state.failing !== undefined && { failing: state.failing }),
                ...(state.inputs !== undefined && { inputs: state.inputs }),
                ...(state.outputs !== undefined && { outputs: state.outputs }),
                ...(state.statedAt !== undefined && { stated_at: state.statedAt }),
              },
              $unset: { claim: true, contended: true },
            },
          },
        },
        {
          updateOne: {
            filter: { _id: state.entityId, claim: batchId, contended: true },
            update: { $unset: { claim: true, contended: true, facets: true, inputs: true, outputs: true } },
          },
        },
      ]);
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: true });
    },

    /** Forgets what was said of entities that are deleted: the next event makes them anew. */
    async forget(tenantId: string, entityIds: string[]): Promise<void> {
      if (entityIds.length > 0) await of(tenantId).deleteMany({ _id: { $in: entityIds } });
    },
  };
}
