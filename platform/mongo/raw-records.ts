import { LRUCache } from 'lru-cache';
import { MongoBulkWriteError, type Db } from 'mongodb';
import {
  noCounts,
  type BatchCounts,
  type BatchRef,
  type Door,
  type RecordFormat,
} from '#domain/transformation/batch.ts';
import type { RecordFault } from '#domain/transformation/dead-letter.ts';
import { collections, type RawRecordDoc } from './collections.ts';
import { ruleSets } from './rule-sets.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A raw record on its way to its landing place. */
export interface NewRawRecord {
  recordId: string;
  /** Order within the batch. */
  seq: number;
  entityId: string;
  receivedAt: Date;
  door: Door;
  actor: string;
  /** JSON of an `IngestRecord`, as it arrived. */
  body: string;
  /** What the body is, when it is something else. */
  format?: RecordFormat;
  /** Why it cannot be processed, when the door knows that already. */
  fault?: RecordFault;
  replyTo?: string;
  /** The record that this one repeats. */
  repeats?: string;
  /** Made by reprocessing. */
  derived?: true;
  /** Takes the body of that record instead of keeping it twice; `body` is empty then. */
  bodyOf?: string;
  expectedVersion?: number;
}

export interface Landing {
  /** Records of this batch that had not landed before. */
  landed: number;
  /** Records that had landed before, in this batch or another. */
  duplicates: number;
}

export interface ArrivalRange {
  from: Date;
  to: Date;
  door?: Door | undefined;
  /** The last record of the page before. */
  after?: { receivedAt: Date; recordId: string } | undefined;
  limit: number;
}

export type ArrivedRecord = Pick<RawRecordDoc, '_id' | 'entity_id' | 'received_at' | 'batch_id'>;

export type RawRecords = ReturnType<typeof rawRecords>;

const duplicateKey = 11_000;
/** Characters of records that wait between their landing and their processing in one process. */
const charactersAtHand = 48 * 1024 * 1024;

/** Of records that state one entity, and were not made of others. */
const says = { derived: { $exists: false }, format: { $exists: false } };

/** The landing place of raw records, and the batches that they wait in. */
export function rawRecords(db: Db) {
  const all = collections(db);
  const rules = ruleSets(db);
  /** What this process has just landed: whoever takes it next need not read it back. Any other process does. */
  const atHand = new LRUCache<string, RawRecordDoc[]>({
    maxSize: charactersAtHand,
    sizeCalculation: (documents) => documents.reduce((sum, { body }) => sum + body.length, 1),
  });
  const recordsOf = (tenantId: string) => new TenantCollection(all.rawRecords, tenantId);
  const batchesOf = (tenantId: string) => new TenantCollection(all.batches, tenantId);

  /** Notes that the batch is there, and binds it to the rules that are active now. What was noted first stays. */
  const note = async (ref: BatchRef, records: number): Promise<void> => {
    const rulesVersion = await rules.activeVersion(ref.tenantId);
    await batchesOf(ref.tenantId).updateOne(
      { _id: ref.batchId },
      { $setOnInsert: { source: ref.source, landed_at: new Date(), records, rules_version: rulesVersion } },
      { upsert: true },
    );
  };

  return {
    /** Lands a batch. Idempotent by record id: a record that landed before stays in the batch that it landed in. */
    async land(ref: BatchRef, records: NewRawRecord[]): Promise<Landing> {
      const documents = records.map((record): RawRecordDoc => {
        const document: RawRecordDoc = {
          _id: record.recordId,
          tenant_id: ref.tenantId,
          batch_id: ref.batchId,
          seq: record.seq,
          entity_id: record.entityId,
          received_at: record.receivedAt,
          door: record.door,
          actor: record.actor,
          body: record.body,
        };
        if (record.format !== undefined) document.format = record.format;
        if (record.fault !== undefined) document.fault = record.fault;
        if (record.replyTo !== undefined) document.reply_to = record.replyTo;
        if (record.repeats !== undefined) document.repeats = record.repeats;
        if (record.derived !== undefined) document.derived = record.derived;
        if (record.bodyOf !== undefined) document.body_of = record.bodyOf;
        if (record.expectedVersion !== undefined) document.expected_version = record.expectedVersion;
        return document;
      });
      const [duplicates] = await Promise.all([
        insertNew(recordsOf(ref.tenantId), documents),
        note(ref, records.length),
      ]);
      // Records of one batch land once: if none had landed before, these are all.
      if (duplicates === 0 && !documents.some((document) => document.body_of !== undefined)) {
        atHand.set(ref.batchId, documents);
      }
      return { landed: records.length - duplicates, duplicates };
    },

    /** The batch's records in their order. */
    async load(ref: BatchRef): Promise<RawRecordDoc[]> {
      const landed = atHand.get(ref.batchId);
      atHand.delete(ref.batchId);
      if (landed !== undefined) return landed.toSorted((a, b) => a.seq - b.seq);
      const found = await recordsOf(ref.tenantId).find({ batch_id: ref.batchId }).sort({ seq: 1 }).toArray();
      const borrowed = found.flatMap(({ body_of }) => (body_of === undefined ? [] : [body_of]));
      if (borrowed.length === 0) return found;
      const lenders = await recordsOf(ref.tenantId)
        .find({ _id: { $in: borrowed } }, { projection: { body: 1 } })
        .toArray();
      const bodies = new Map(lenders.map(({ _id, body }) => [_id, body]));
      return found.map((record) => ({ ...record, body: bodies.get(record.body_of ?? '') ?? record.body }));
    },

    /** Notes what became of the batch. */
    async close(ref: BatchRef, counts: BatchCounts): Promise<void> {
      await batchesOf(ref.tenantId).updateOne({ _id: ref.batchId }, { $set: { closed_at: new Date(), counts } });
    },

    /** Ends a batch whose records had all landed in other batches before. One that has come to its end stays as it is. */
    async closeEmpty(ref: BatchRef): Promise<void> {
      await batchesOf(ref.tenantId).updateOne(
        { _id: ref.batchId, closed_at: { $exists: false } },
        { $set: { closed_at: new Date(), counts: noCounts, records: 0 } },
      );
    },

    /** The batches that the records landed in and that have not come to their end, the oldest first. */
    async openBatchesOf(tenantId: string, recordIds: string[]): Promise<BatchRef[]> {
      const landed = await recordsOf(tenantId)
        .find({ _id: { $in: recordIds } })
        .project<{ batch_id: string }>({ _id: 0, batch_id: 1 })
        .toArray();
      const batchIds = [...new Set(landed.map((record) => record.batch_id))];
      const open = await batchesOf(tenantId)
        .find({ _id: { $in: batchIds }, closed_at: { $exists: false } })
        .sort({ landed_at: 1 })
        .toArray();
      return open.map(({ _id, source }) => ({ tenantId, batchId: _id, source }));
    },

    async batch(tenantId: string, batchId: string) {
      return batchesOf(tenantId).findOne({ _id: batchId });
    },

    async record(tenantId: string, recordId: string) {
      return recordsOf(tenantId).findOne({ _id: recordId });
    },

    /** Records by their ids. */
    async records(tenantId: string, recordIds: string[]): Promise<Map<string, RawRecordDoc>> {
      const found = await recordsOf(tenantId)
        .find({ _id: { $in: recordIds } })
        .toArray();
      return new Map(found.map((record) => [record._id, record]));
    },

    /** What arrived last. */
    async newest(
      tenantId: string,
      { door, limit }: { door?: Door | undefined; limit: number },
    ): Promise<RawRecordDoc[]> {
      return recordsOf(tenantId)
        .find({ ...says, ...(door !== undefined && { door }) })
        .sort({ received_at: -1 })
        .limit(limit)
        .toArray();
    },

    /** What was said of an entity, the newest first; what reprocessing made of it says nothing new. */
    async said(tenantId: string, entityId: string, page: { skip?: number; limit: number }): Promise<RawRecordDoc[]> {
      return recordsOf(tenantId)
        .find({ entity_id: entityId, ...says })
        .sort({ received_at: -1, seq: -1, _id: -1 })
        .skip(page.skip ?? 0)
        .limit(page.limit)
        .toArray();
    },

    /** The ids of what was said of an entity at a moment or later, in the order of arrival. */
    async saidSince(tenantId: string, entityId: string, since: Date, limit: number): Promise<string[]> {
      const found = await recordsOf(tenantId)
        .find({ entity_id: entityId, received_at: { $gte: since }, ...says }, { projection: { _id: 1 } })
        .sort({ received_at: -1, seq: -1, _id: -1 })
        .limit(limit)
        .toArray();
      return found.map(({ _id }) => _id);
    },

    /** A page of what arrived in a range of time, without bodies, behind `after` when that is given. */
    async arrived(tenantId: string, range: ArrivalRange): Promise<ArrivedRecord[]> {
      const { from, to, after, limit, door } = range;
      return recordsOf(tenantId)
        .find(
          {
            received_at: { $gte: after?.receivedAt ?? from, $lt: to },
            ...says,
            ...(door !== undefined && { door }),
            ...(after !== undefined && {
              $or: [
                { received_at: { $gt: after.receivedAt } },
                { received_at: after.receivedAt, _id: { $gt: after.recordId } },
              ],
            }),
          },
          { projection: { entity_id: 1, received_at: 1, batch_id: 1 } },
        )
        .sort({ received_at: 1, _id: 1 })
        .limit(limit)
        .toArray();
    },

    /** How many arrived in a range of time; counts no further than `most`. */
    async countArrived(tenantId: string, from: Date, to: Date, most: number): Promise<number> {
      const found = recordsOf(tenantId).find({ received_at: { $gte: from, $lt: to } }, { projection: { _id: 1 } });
      let count = 0;
      for await (const _ of found.limit(most)) count += 1;
      return count;
    },

    /** The sources of batches, by their ids. */
    async sourcesOf(tenantId: string, batchIds: string[]): Promise<Map<string, string>> {
      const found = await batchesOf(tenantId)
        .find({ _id: { $in: batchIds } }, { projection: { source: 1 } })
        .toArray();
      return new Map(found.map(({ _id, source }) => [_id, source]));
    },

    /** The ids of the entities that a run has read, by the records that it landed. */
    async *seenInRun(tenantId: string, runId: string): AsyncIterable<string> {
      const prefix = `${tenantId}:run:${runId}:`;
      const cursor = recordsOf(tenantId)
        .find({ batch_id: { $gte: prefix, $lt: `${prefix}\uffff` } })
        .project<{ entity_id: string }>({ _id: 0, entity_id: 1 });
      for await (const { entity_id } of cursor) yield entity_id;
    },
  };
}

/** Inserts what is new and counts what was there. */
async function insertNew(target: TenantCollection<RawRecordDoc>, documents: RawRecordDoc[]): Promise<number> {
  if (documents.length === 0) return 0;
  try {
    await target.insertMany(documents, { ordered: false });
    return 0;
  } catch (error) {
    const duplicates = duplicatesOnly(error);
    if (duplicates === undefined) throw error;
    return duplicates;
  }
}

/** How many of a bulk write's errors were duplicate keys, when all of them were; undefined for any other error. */
export function duplicatesOnly(error: unknown): number | undefined {
  if (!(error instanceof MongoBulkWriteError)) return undefined;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  return errors.every((one) => one.code === duplicateKey) && error.result.getWriteConcernError() === undefined
    ? errors.length
    : undefined;
}
