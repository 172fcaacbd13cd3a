import type { Principal } from '#domain/access/principal.ts';
import { entityKey, ingestHeaders, topics, type Topic } from '#domain/topics.ts';
import type { Receipt } from '#domain/transformation/batch.ts';
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
}

export interface Intake {
  /**
   * Sends records on their way, in order. Fulfils when they are durable, with a receipt for each that was applied while
   * the caller was willing to wait; rejects with `unavailable` when it is not known whether they are durable. Sending
   * the same record ids again is harmless.
   */
  submit(principal: Principal, records: readonly Submission[], waitSeconds?: number): Promise<(Receipt | undefined)[]>;
}

/** The REST side of the streaming door. `instanceId` is where receipts find back to. */
export function intake(sender: RecordSender, receipts: ReceiptBoard, instanceId: string): Intake {
  return {
    async submit(principal, records, waitSeconds) {
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
          [ingestHeaders.door]: 'rest',
          ...(waits ? { [ingestHeaders.replyTo]: instanceId } : {}),
        },
      }));
      await inTime('Kafka', sender.send(topics.ingest, messages));
      return Promise.all(expected);
    },
  };
}
