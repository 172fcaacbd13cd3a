import { z } from 'zod';
import { overlapPolicies } from '#domain/ingestion/schedule.ts';
import { limits } from '#domain/limits.ts';
import { pageQuery, runViewSchema } from './schemas.ts';

export const scheduleListQuery = z.strictObject({
  source: z
    .uuid('must be the id of a saved source')
    .optional()
    .meta({ description: 'Only schedules of this saved source' }),
  ...pageQuery.shape,
});

/** Body of pause and resume. */
export const noteSchema = z
  .strictObject({ note: z.string().max(limits.noteLength).optional().meta({ description: 'Why, for people' }) })
  .meta({ id: 'ScheduleNote' });

const moment = z.iso.datetime({ offset: true, error: 'must be a time as 2026-01-31T09:30:00Z' });

/** Body of backfill. */
export const backfillSchema = z
  .strictObject({
    from: moment.meta({ description: 'The first moment of the range' }),
    to: moment.meta({ description: 'The last moment of the range; not in the future' }),
  })
  .meta({ id: 'Backfill' });

const time = z.iso.datetime();

const shared = {
  schedule_id: z.uuid(),
  source_id: z.uuid().meta({ description: 'The saved source that is read' }),
  cron: z.string().nullable(),
  every: z.string().nullable(),
  time_zone: z.string(),
  overlap: z.enum(overlapPolicies),
  jitter: z.string().nullable(),
  catch_up_window: z.string(),
  paused: z.boolean(),
  note: z.string().nullable(),
  created_by: z.string(),
  created_at: time,
  updated_by: z.string(),
  updated_at: time,
};

/** A schedule as the list shows it. */
export const scheduleViewSchema = z.object(shared).meta({ id: 'Schedule' });

export type ScheduleView = z.infer<typeof scheduleViewSchema>;

export const scheduleListSchema = z
  .object({ items: z.array(scheduleViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ScheduleList' });

/** A schedule with its past and its future. */
export const scheduleStateSchema = z
  .object({
    ...shared,
    next: z.array(time).meta({ description: 'The next times; none while it is paused' }),
    recent: z
      .array(runViewSchema)
      .meta({ description: 'The last runs, the newest first, with those that were skipped' }),
    missed: z.array(time).meta({
      description:
        'Times of the last seven days (at most 100) that had no run, because it was paused, something was down, or the source was being read. A backfill makes up for them',
    }),
    missed_catch_up: z
      .int()
      .meta({ description: 'Times that Temporal let pass because they were older than the catch-up window' }),
    temporal_schedule_id: z.string(),
  })
  .meta({ id: 'ScheduleState' });

export type ScheduleStateView = z.infer<typeof scheduleStateSchema>;

export const triggeredSchema = z
  .object({ run_id: z.uuid().meta({ description: 'The run, which is there in a moment' }), workflow_id: z.string() })
  .meta({ id: 'ScheduleTriggered' });

export const backfillViewSchema = z
  .object({
    workflow_id: z.string().meta({ description: 'The workflow that makes up for the times, one after the other' }),
    times: z.array(time).meta({ description: 'What is made up for, in this order' }),
    already_run: z.int().meta({ description: 'Times of the range that have had their run' }),
  })
  .meta({ id: 'BackfillStarted' });
