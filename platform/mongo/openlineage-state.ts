import type { Collection, Db } from 'mongodb';
import { limits } from '#domain/limits.ts';
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
  /** Counts what has been settled: whoever settles knows whether anybody did since it looked. */
  revision?: number;
  /** Another batch held the claim, or had settled something, when this one took it: what came of the two together is not certain. */
  contended?: boolean;
}

/** What holds once a batch has been applied. */
export interface AppliedState {
  entityId: string;
  facets: string[];
  columns?: string[];
  /** Assertions that were reported to fail, and to hold again. */
  failing?: { began: string[]; ended: string[] };
  inputs?: string[];
  outputs?: string[];
  statedAt?: Date;
}

export interface SettledState extends AppliedState {
  /** Whether all of it is stored. */
  certain: boolean;
}

/** What a batch is about to change. */
export interface StateClaim {
  entityId: string;
  /** Columns that may come to be. */
  columns: string[];
  /** What the batch goes by. */
  loaded: Pick<OpenLineageStateDoc, 'revision' | 'claim'> | undefined;
}

/** Bytes of one state beyond which no more columns are noted. */
const stateBytes = 8 * 1024 * 1024;

export type OpenLineageState = ReturnType<typeof openLineageState>;

function collection(db: Db): Collection<OpenLineageStateDoc> {
  return db.collection('openlineage_state');
}

function failingChange({ entityId, failing }: AppliedState): TenantOperation<OpenLineageStateDoc>[] {
  if (failing === undefined || failing.began.length + failing.ended.length === 0) return [];
  const others = { $setDifference: [{ $ifNull: ['$failing', []] }, failing.ended] };
  const after = { $slice: [{ $setUnion: [others, failing.began] }, limits.failingAssertions] };
  return [{ updateOne: { filter: { _id: entityId }, update: [{ $set: { failing: after } }], upsert: true } }];
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
    async claim(tenantId: string, batchId: string, changes: StateClaim[]): Promise<void> {
      const operations = changes.map(({ entityId, columns, loaded }): TenantOperation<OpenLineageStateDoc> => ({
        updateOne: {
          filter: { _id: entityId },
          update: [
            {
              $set: {
                contended: {
                  $or: [
                    { $ifNull: ['$contended', false] },
                    { $ne: [{ $ifNull: ['$claim', batchId] }, batchId] },
                    { $ne: [{ $ifNull: ['$revision', 0] }, loaded?.revision ?? 0] },
                    loaded?.claim !== undefined && loaded.claim !== batchId,
                  ],
                },
                claim: batchId,
                columns: {
                  $cond: [
                    { $lt: [{ $bsonSize: '$$ROOT' }, stateBytes] },
                    { $setUnion: [{ $ifNull: ['$columns', []] }, { $literal: columns }] },
                    '$columns',
                  ],
                },
              },
            },
          ],
          upsert: true,
        },
      }));
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: false });
    },

    /**
     * Says what holds now, where the claim is still this batch's; where it was contended, or not all is stored, that it is
     * not certain. Which assertions fail is noted in any case: what has been reported stays reported.
     */
    async settle(tenantId: string, batchId: string, applied: SettledState[]): Promise<void> {
      const operations = applied.flatMap((state): TenantOperation<OpenLineageStateDoc>[] => {
        const claimed = { _id: state.entityId, claim: batchId };
        const free = { claim: true, contended: true } as const;
        const certain = {
          facets: state.facets,
          ...(state.columns !== undefined && { columns: state.columns }),
          ...(state.inputs !== undefined && { inputs: state.inputs }),
          ...(state.outputs !== undefined && { outputs: state.outputs }),
          ...(state.statedAt !== undefined && { stated_at: state.statedAt }),
        };
        const settled = state.certain
          ? { $set: certain, $inc: { revision: 1 }, $unset: free }
          : { $inc: { revision: 1 }, $unset: { ...free, facets: true as const } };
        const unsure = {
          $inc: { revision: 1 },
          $unset: { ...free, facets: true, inputs: true, outputs: true } as const,
        };
        return [
          ...failingChange(state),
          { updateOne: { filter: { ...claimed, contended: false }, update: settled } },
          { updateOne: { filter: { ...claimed, contended: true }, update: unsure } },
        ];
      });
      if (operations.length > 0) await of(tenantId).bulkWrite(operations, { ordered: true });
    },

    /** Forgets what was said of entities that are deleted: the next event makes them anew. */
    async forget(tenantId: string, entityIds: string[]): Promise<void> {
      if (entityIds.length > 0) await of(tenantId).deleteMany({ _id: { $in: entityIds } });
    },
  };
}
