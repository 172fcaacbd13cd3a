/** The Kafka topics. They are created by deploy/setup.ts, with partitions and retention chosen there; never by accident. */
export const topics = {
  /** Records on their way in. Key `tenant|entity`, so the order of one entity's records holds. */
  ingest: 'lily.ingest',
  /** What became of entities: one CloudEvent a version. Key `tenant|entity`. */
  changes: 'lily.changes',
  /** Which entities a change upstream concerns: one CloudEvent an affected entity. Key `tenant|entity`. */
  impacts: 'lily.impacts',
  /** What becomes of incidents: one CloudEvent a change. Key `tenant|incident`. */
  incidents: 'lily.incidents',
  /** Answers to requests that wait for their record to be applied. Key: the API instance that waits. */
  receipts: 'lily.receipts',
  /** Records that name no tenant and so cannot enter the pipeline at all. */
  deadLetter: 'lily.dead-letter',
} as const;

export type Topic = (typeof topics)[keyof typeof topics];

/** Headers of a record on `lily.ingest`: enough to route it without reading its body. */
export const ingestHeaders = {
  tenant: 'lily-tenant',
  recordId: 'lily-record-id',
  receivedAt: 'lily-received-at',
  actor: 'lily-actor',
  door: 'lily-door',
  /** What the value is, when it is not an `IngestRecord`. */
  format: 'lily-format',
  /** The API instance that waits for a receipt; absent when nobody waits. */
  replyTo: 'lily-reply-to',
  /** A `RecordFault` as JSON, where the door knows that the record cannot be processed; the body is then what came in. */
  fault: 'lily-fault',
} as const;

/** The message key that keeps one entity's records in one partition, in order. */
export function entityKey(tenantId: string, entityId: string): string {
  return `${tenantId}|${entityId}`;
}

/** The tenant in a key made by {@link entityKey}. */
export function tenantOfKey(key: string): string {
  return key.slice(0, key.indexOf('|'));
}
