import { z } from 'zod';
import { limits } from '../limits.ts';
import { cronFault } from './cron.ts';
import type { RunRef } from './run.ts';

/**
 * What happens when the source is still being read at a time of the schedule, by whatever run: `skip` lets the time pass,
 * `buffer_one` waits unless another time of the schedule waits already, `buffer_all` waits in any case, `cancel_other`
 * cancels the run that reads it. The outcome is in the history of runs in each case.
 */
export const overlapPolicies = ['skip', 'buffer_one', 'buffer_all', 'cancel_other'] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of a duration as `90s`, `15m`, `2h` or `1d`; NaN for any other text. */
export function durationMs(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  return count === undefined ? Number.NaN : Number(count) * unitMs[unit as keyof typeof unitMs];
}

function durationSchema(leastMs: number, mostMs: number, range: string) {
  return z
    .string()
    .refine(
      (text) => !Number.isNaN(durationMs(text)),
      'must be a whole number with a unit, for example 90s, 15m, 2h or 1d',
    )
    .refine((text) => !(durationMs(text) < leastMs || durationMs(text) > mostMs), `must be ${range}`);
}

/** A time zone that the runtime knows, by a name of the IANA database. */
function isTimeZone(name: string): boolean {
  try {
    // Offsets as +02:00 are no zones: they know nothing of summer time.
    return (
      /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
    );
  } catch {
    return false;
  }
}

/** When and how a saved source is read again and again. */
export const scheduleSchema = z
  .strictObject({
    source_id: z.uuid().meta({ description: 'The saved source that is read' }),
    cron: z
      .string()
      .max(200)
      .superRefine((text, context) => {
        const fault = cronFault(text);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      })
      .optional()
      .meta({ description: 'Times of the calendar in the time zone, as `30 2 * * 1-5`' }),
    every: durationSchema(limits.scheduleLeastMs, 366 * unitMs.d, 'from 10s to 366d')
      .optional()
      .meta({ description: 'An interval, as `15m`. Times are counted from 1970-01-01 in UTC, whatever the time zone' }),
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, 'must be a name of the IANA time zone database, for example Europe/Berlin')
      .default('UTC')
      .meta({
        description:
          'Of `cron`. A time that the change to summer time leaves out does not happen on that day; one that the change back brings twice happens once. Where the distance matters, take UTC or `every`',
      }),
    overlap: z
      .enum(overlapPolicies)
      .default('skip')
      .meta({ description: 'What happens when the source is still being read' }),
    jitter: durationSchema(1_000, unitMs.d, 'from 1s to 1d')
      .optional()
      .meta({ description: 'Each time is put off by a random part of this, so that not everything starts at once' }),
    catch_up_window: durationSchema(10_000, 366 * unitMs.d, 'from 10s to 366d')
      .default('1h')
      .meta({
        description: 'Times missed for longer than this, because Temporal was down, are not made up for by themselves',
      }),
    paused: z.boolean().default(false),
    note: z.string().max(limits.noteLength).optional().meta({ description: 'Why it is as it is, for people' }),
  })
  .superRefine(({ cron, every }, context) => {
    if ((cron === undefined) === (every === undefined)) {
      context.addIssue({ code: 'custom', path: ['cron'], message: 'or every must be given, and not both' });
    }
  })
  .meta({ id: 'ScheduleDefinition' });

export type ScheduleDefinition = z.infer<typeof scheduleSchema>;

/** Input of the `fireSchedule` workflow. Temporal starts it at each time of the schedule; the time then comes from Temporal. */
export interface FireScheduleRequest {
  tenantId: string;
  scheduleId: string;
  /** Which revision of the schedule Temporal's schedule was made from; absent when somebody started it by hand. */
  revision?: number;
  /** Absent when Temporal's schedule started it. */
  made?: {
    trigger: 'manual' | 'backfill';
    /** RFC 3339 */
    scheduledFor: string;
    actor: string;
    /** The run's id, where the one who asked has been told it already. */
    runId?: string;
  };
  /** Carried through continue-as-new: the run that waits for its turn. */
  waiting?: ScheduledRun;
}

/** A run that was made for one time of a schedule, and waits for its turn. */
export interface ScheduledRun {
  ref: RunRef;
  overlap: OverlapPolicy;
  /** What the schedule wants it put off by, at most. */
  jitterMs: number;
}

/** How things stand with a run that waits: it has the `turn`, or must wait for another run, or has `ended` meanwhile. */
export type Turn =
  | { outcome: 'turn' }
  | { outcome: 'held'; holderRunId: string; holderWorkflowId: string }
  /** Another run that waits came first. */
  | { outcome: 'queued'; behindRunId: string; sameSchedule: boolean }
  /** The tenant has as many active runs as it may. */
  | { outcome: 'full' }
  | { outcome: 'ended' };

/** What becomes of a run that cannot have its turn at once: it waits, does not take place, or has the other one cancelled. */
export function onOverlap(policy: OverlapPolicy, turn: Turn): 'wait' | 'skip' | 'cancel_other' {
  if (turn.outcome === 'held') {
    if (policy === 'skip' || policy === 'cancel_other') return policy;
    return 'wait';
  }
  if (turn.outcome !== 'queued') return 'wait';
  return policy === 'skip' || (policy === 'buffer_one' && turn.sameSchedule) ? 'skip' : 'wait';
}

/** What became of one time of a schedule. */
export interface FireScheduleResult {
  /** Absent when there was nothing to run: the schedule is gone, or this time has had its run. */
  runId?: string;
  outcome: string;
}

/** Input of the `backfillSchedule` workflow. */
export interface BackfillRequest {
  tenantId: string;
  scheduleId: string;
  savedSourceId: string;
  backfillId: string;
  /** The nominal times to make up for, RFC 3339, the earliest first. */
  times: string[];
  /** Times that have been dealt with; carried through continue-as-new. */
  done?: number;
}

/** Temporal's id of a schedule. It carries the tenant, so nobody gets at another's by its id. */
export function temporalScheduleId(tenantId: string, scheduleId: string): string {
  return `schedule:${tenantId}:${scheduleId}`;
}

/** Temporal appends the nominal time. */
export function fireWorkflowId(tenantId: string, savedSourceId: string, scheduleId: string): string {
  return `fire:${tenantId}:${savedSourceId}:${scheduleId}`;
}

/** One time of a schedule, which has one run at most. */
export function occasionOf(scheduleId: string, scheduledFor: Date): string {
  return `${scheduleId}@${scheduledFor.toISOString()}`;
}

export function scheduleActor(scheduleId: string): string {
  return `schedule:${scheduleId}`;
}

export function backfillWorkflowId(tenantId: string, scheduleId: string, backfillId: string): string {
  return `backfill:${tenantId}:${scheduleId}:${backfillId}`;
}
