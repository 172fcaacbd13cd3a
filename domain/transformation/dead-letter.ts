import type { Door } from './batch.ts';

/** Why a record could not be processed. A closed list, so that people can filter and mend by it. */
export const deadLetterReasons = [
  'malformed-json',
  'invalid-record',
  'version-mismatch',
  'not-found',
  'no-tenant',
  'rule-failed',
  'dropped-by-rule',
  'superseded',
] as const;

export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** What is wrong with a record that came through a door which found out itself: a row of a file, a message of a topic. */
export interface RecordFault {
  reason: DeadLetterReason;
  /** Says where it stands and what to mend. */
  detail: string;
}

/** A fault as it stands in a message's header. The detail is cut where it is too long for one. */
export function faultHeader({ reason, detail }: RecordFault): string {
  return JSON.stringify({ reason, detail: detail.slice(0, 2_000) });
}

/** What {@link faultHeader} wrote; undefined for a text that is nothing of the kind. */
export function parseFaultHeader(text: string): RecordFault | undefined {
  try {
    const { reason, detail } = JSON.parse(text) as Partial<RecordFault>;
    if (typeof detail !== 'string' || !deadLetterReasons.some((known) => known === reason)) return undefined;
    return { reason: reason as DeadLetterReason, detail };
  } catch {
    return undefined;
  }
}

/**
 * Where a dead letter stands. `dropped`: a rule took it out on purpose, so nobody has to mend it; `replaying`: a replay has
 * it; `resolved`: a replay of it was applied; `discarded`: somebody has decided that it stays out.
 */
export const deadLetterStates = ['open', 'dropped', 'replaying', 'resolved', 'discarded'] as const;
export type DeadLetterState = (typeof deadLetterStates)[number];

/** One time that a letter was replayed. */
export interface ReplayAttempt {
  attempt: number;
  /** The record that the replay made of it. */
  record_id: string;
  job: string;
  page: number;
  at: Date;
  by: string;
  /** Whether it was to be applied even over something newer. */
  forced: boolean;
  outcome: 'resolved' | 'rejected';
  reason?: DeadLetterReason;
  detail?: string;
}

/**
 * The id of the record that a replay makes of a letter: the same attempt always makes the same record.
 * @param change what tells it from the same attempt with the record as it arrived
 */
export function replayRecordId(recordId: string, attempt: number, change?: string): string {
  return change === undefined ? `${recordId}~${attempt}` : `${recordId}~${attempt}~${change}`;
}

/** A record that could not be processed, with what is needed to mend and replay it. */
export interface DeadLetter {
  /** The raw record's id; the raw record itself stays where it landed. */
  record_id: string;
  tenant_id: string;
  batch_id: string;
  entity_id: string;
  door: Door;
  received_at: Date;
  reason: DeadLetterReason;
  /** Says what to mend. */
  detail: string;
  /** The transformation rule that dropped the record or failed on it. */
  rule?: string;
  /** The record that this one repeats: the letter of a replay belongs to the letter that was replayed. */
  repeats?: string;
  failed_at: Date;
}
