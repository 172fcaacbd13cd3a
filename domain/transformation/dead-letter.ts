/** Why a record could not be processed. A closed list, so that people can filter and mend by it. */
export const deadLetterReasons = [
  'malformed-json',
  'invalid-record',
  'version-mismatch',
  'not-found',
  'no-tenant',
] as const;

export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** What is wrong with a record that came through a door which found out itself: a row of a file, a message of a topic. */
export interface RecordFault {
  reason: DeadLetterReason;
  /** Says where it stands and what to mend. */
  detail: string;
}

/** A record that could not be processed, with what is needed to mend and replay it. */
export interface DeadLetter {
  /** The raw record's id; the raw record itself stays where it landed. */
  record_id: string;
  tenant_id: string;
  batch_id: string;
  reason: DeadLetterReason;
  /** Says what to mend. */
  detail: string;
  failed_at: Date;
}
