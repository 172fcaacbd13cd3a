import type { Collection, Db } from 'mongodb';
import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import type { BatchCounts, Door, RecordFormat } from '#domain/transformation/batch.ts';
import type { DeadLetter, DeadLetterState, RecordFault, ReplayAttempt } from '#domain/transformation/dead-letter.ts';

/** A record as it arrived, kept before anything is done to it. `_id` is the record id, so it lands once however often it is delivered. */
export interface RawRecordDoc {
  _id: string;
  tenant_id: string;
  batch_id: string;
  /** Order within the batch: the Kafka offset, or the position in a page. */
  seq: number;
  entity_id: string;
  received_at: Date;
  door: Door;
  actor: string;
  body: string;
  /** What the body is, when it is not an `IngestRecord`. */
  format?: RecordFormat;
  /** Why it cannot be processed, when the door knows that already: it becomes a dead letter. */
  fault?: RecordFault;
  /** The API instance that waits for this record's receipt. */
  reply_to?: string;
  /** The record that this one repeats: a dead letter that is replayed, or a record that is transformed again. */
  repeats?: string;
  /** Set where the body is that of the repeated record, and not kept twice. */
  body_of?: string;
  /** Made by reprocessing: it says nothing that an earlier record did not say. */
  derived?: true;
  /** The version that the entity must have when this is applied; 0 when it must not be there. */
  expected_version?: number;
}

/** A batch of raw records and what became of it. `_id` is the batch id. */
export interface BatchDoc {
  _id: string;
  tenant_id: string;
  source: string;
  landed_at: Date;
  records: number;
  /** The version of the transformation rules that the batch is transformed with, on every attempt; 0 for none. */
  rules_version?: number;
  closed_at?: Date;
  counts?: BatchCounts;
}

/** The offsets that one batch of a partition took, so that a redelivery cuts the same batch again. `_id` is `topic:partition:from`. */
export interface IntakeRangeDoc {
  _id: string;
  to: number;
  first_record_id: string;
  taken_at: Date;
}

export type EntityDoc = Entity & { _id: string; record_id: string };
/** `_id` is the entity id and the version with leading zeros: unique, and in the order of versions. */
export type EntityVersionDoc = EntityVersion & { _id: string };

/** A dead letter and what people did about it. `_id` is the raw record's id. */
export interface DeadLetterDoc extends DeadLetter {
  _id: string;
  /** The topic or the type of the source that the batch came from. */
  source: string;
  state: DeadLetterState;
  attempts: ReplayAttempt[];
  /** A body that takes the place of the raw record's when it is replayed. */
  mended?: { body: string; at: Date; by: string };
  discarded?: { reason: string; at: Date; by: string };
  /** The replay that has it now. */
  claim?: LetterClaim;
}

export interface LetterClaim {
  job: string;
  page: number;
  /** The state that it goes back to when the replay lets go of it. */
  from: DeadLetterState;
  by: string;
  forced: boolean;
  /** Why it was not even tried: something newer was said of its entity. */
  superseded?: string;
}

export interface Collections {
  rawRecords: Collection<RawRecordDoc>;
  batches: Collection<BatchDoc>;
  intakeRanges: Collection<IntakeRangeDoc>;
  entities: Collection<EntityDoc>;
  entityVersions: Collection<EntityVersionDoc>;
  deadLetters: Collection<DeadLetterDoc>;
}

export function collections(db: Db): Collections {
  return {
    rawRecords: db.collection('raw_records'),
    batches: db.collection('batches'),
    intakeRanges: db.collection('intake_ranges'),
    entities: db.collection('entities'),
    entityVersions: db.collection('entity_versions'),
    deadLetters: db.collection('dead_letters'),
  };
}

/** How long the cut of a Kafka partition into batches is remembered: longer than Kafka would redeliver. */
const intakeRangeSeconds = 14 * 24 * 3_600;

/** Creates the indexes of the pipeline's collections; harmless to repeat. */
export async function ensurePipelineIndexes(db: Db): Promise<void> {
  const all = collections(db);
  await Promise.all([
    all.rawRecords.createIndex({ batch_id: 1, seq: 1 }),
    all.rawRecords.createIndex({ tenant_id: 1, received_at: 1 }),
    // What was said of an entity, in the order of arrival. The id is made of the tenant too.
    all.rawRecords.createIndex({ entity_id: 1, received_at: 1 }),
    all.batches.createIndex({ tenant_id: 1, landed_at: -1 }),
    all.intakeRanges.createIndex({ taken_at: 1 }, { expireAfterSeconds: intakeRangeSeconds }),
    all.entities.createIndex({ tenant_id: 1, entity_type: 1, qualified_name: 1 }, { unique: true }),
    all.entities.createIndex({ source_id: 1 }, { partialFilterExpression: { source_id: { $exists: true } } }),
    all.entityVersions.createIndex({ batch_id: 1 }),
    all.deadLetters.createIndex({ tenant_id: 1, failed_at: -1 }),
    all.deadLetters.createIndex({ tenant_id: 1, state: 1, received_at: 1, _id: 1 }),
    all.deadLetters.createIndex({ 'claim.job': 1, 'claim.page': 1 }, { sparse: true }),
    all.deadLetters.createIndex({ 'attempts.job': 1, 'attempts.page': 1 }, { sparse: true }),
    all.deadLetters.createIndex({ batch_id: 1 }),
  ]);
}
