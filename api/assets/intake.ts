import type { Principal } from '#domain/access/principal.ts';
import { entityKey, ingestHeaders, topics, type Topic } from '#domain/topics.ts';
import type { Door, Receipt, RecordFormat } from '#domain/transformation/batch.ts';
import { faultHeader, type RecordFault } from '#domain/transformation/dead-letter.ts';
import { inTime } from '../http/outage.ts';
import type { PreparedRecord } from './prepared-record.ts';
import type { ReceiptBoard } from './receipt-board.ts';

/** What the intake needs of Kafka: the promise fulfils once every broker that must has the messages. */
export interface RecordSender {
  send(topic: Topic, messages: { key: string; value: string; headers: Record<string, string> }[]): Promise<void>;
}

/** One record with the id under which it is acknowledged and followed. */
export interface Submission extends PreparedRecord {
  recordId: string;
  /** Set where the record is known to be unfit: it becomes a dead letter, with `value` as it came. Such a record has no `metadataId`. */
  fault?: RecordFault;
}

export interface IntakeOptions {
  /** How long the caller waits until the records are applied; without it, not at all. */
  waitSeconds?: number | undefined;
  /** Where the records came in; `rest` without it. */
  door?: Door;
  /** What the values are, when they are not `IngestRecord`s. */
  format?: RecordFormat;
}

export interface Intake {
  /**
   * Sends records on their way, in order. Fulfils when they are durable, with a receipt for each that was applied while
   * the caller was willing to wait; rejects with `unavailable` when it is not known whether they are durable. Sending
   * the same record ids again is harmless.
   */
  submit(
    principal: Pick<Principal, 'tenantId' | 'userId'>,
    records: readonly Submission[],
    options?: IntakeOptions,
  ): Promise<(Receipt | undefined)[]>;
}

/** The REST side of the streaming door. `instanceId` is where receipts find back to. */
export function intake(sender: RecordSender, receipts: ReceiptBoard, instanceId: string): Intake {
  return {
    async submit(principal, records, { waitSeconds, door = 'rest', format } = {}) {
      const waits = waitSeconds !== undefined;
      const expected = waits ? records.map(({ recordId }) => receipts.expect(recordId, waitSeconds * 1_000)) : [];
      const receivedAt = new Date().toISOString();
      const messages = records.map((record) => ({
        key: entityKey(principal.tenantId, record.metadataId),
        value: record.value,
        headers: {
          [ingestHeaders.tenant]: principal.tenantId,
          [ingestHeaders.recordId]: record.recordId,
          [ingestHeaders.receivedAt]: receivedAt,
          [ingestHeaders.actor]: principal.userId,
          [ingestHeaders.door]: door,
          ...(format === undefined ? {} : { [ingestHeaders.format]: format }),
          ...(record.fault === undefined ? {} : { [ingestHeaders.fault]: faultHeader(record.fault) }),
          ...(waits ? { [ingestHeaders.replyTo]: instanceId } : {}),
        },
      }));
      await inTime('Kafka', sender.send(topics.ingest, messages));
      return Promise.all(expected);
    },
  };
}
