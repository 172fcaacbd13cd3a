import { z } from 'zod';
import { runStates, runTriggers } from '#domain/ingestion/run.ts';
import { savedSourceNameSchema } from '#domain/ingestion/saved-source.ts';
import { sourceSchema } from '#domain/ingestion/source.ts';
import { limits } from '#domain/limits.ts';

/** Body of `POST /v1/ingestions`. */
export const startRunSchema = z
  .strictObject({
    source: sourceSchema.optional().meta({ description: 'What to read; or else `source_id`' }),
    source_id: z.uuid().optional().meta({ description: 'A saved source' }),
    dry_run: z.boolean().optional().meta({ description: 'Only say what the run would do, and write none of it' }),
  })
  .superRefine(({ source, source_id }, context) => {
    if ((source === undefined) === (source_id === undefined)) {
      context.addIssue({ code: 'custom', path: ['source'], message: 'or source_id must be given, and not both' });
    }
  })
  .meta({ id: 'StartRun' });

/** Body of `POST /v1/sources`. */
export const newSourceSchema = z
  .strictObject({ name: savedSourceNameSchema, source: sourceSchema })
  .meta({ id: 'NewSource' });

/** Body of `PUT /v1/sources/{id}`. */
export const replaceSourceSchema = z
  .strictObject({
    name: savedSourceNameSchema,
    source: sourceSchema.optional().meta({
      description:
        'Without it, what is read and the credentials stay. With it but without a password, the password stays if host, port, account and encryption do',
    }),
  })
  .meta({ id: 'ReplaceSource' });

const wholeNumber = `must be a whole number from 1 to ${limits.pageSize}`;

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,9}$/, wholeNumber)
    .transform(Number)
    .pipe(z.int().min(1, wholeNumber).max(limits.pageSize, wholeNumber))
    .default(limits.defaultPageSize)
    .meta({ description: 'Items on one page' }),
  cursor: z.string().max(128).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

const moment = z.iso.datetime({ offset: true, error: 'must be a time as 2026-01-31T09:30:00Z' });

export const listQuery = z.strictObject({
  state: z
    .enum(runStates, { error: `must be one of: ${runStates.join(', ')}` })
    .optional()
    .meta({ description: 'Only runs in this state' }),
  source: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Only runs of this source: the id of a saved one, or the `source_id` of a run' }),
  schedule: z.string().min(1).max(64).optional().meta({ description: 'Only runs of this schedule' }),
  started_from: moment.optional().meta({ description: 'Only runs that were started at this time or later' }),
  started_before: moment.optional().meta({ description: 'Only runs that were started before this time' }),
  ...pageQuery.shape,
});

const count = z.int().min(0);
const time = z.iso.datetime();

const attemptSchema = z
  .object({
    number: count,
    state: z.enum(runStates).nullable().meta({ description: 'How it ended; null while it goes on' }),
    reason: z.string().nullable(),
    started_by: z.string(),
    started_at: time,
    ended_at: time.nullable(),
    workflow_id: z.string(),
  })
  .meta({ id: 'RunAttempt' });

/** A run as the API shows it. */
export const runViewSchema = z
  .object({
    run_id: z.uuid(),
    state: z.enum(runStates).meta({
      description:
        '`waiting`: a scheduled run whose turn has not come. `degraded`: everything that was read is applied, but the source changed while it was read or a part of it could not be read, so nothing was deleted. `skipped`: a scheduled run that did not take place',
    }),
    source_id: z.string().meta({ description: 'What the source says that it is; entities carry it too' }),
    saved_source_id: z.uuid().nullable(),
    source: z.looseObject({ type: z.string() }).meta({ description: 'What is read, without credentials' }),
    trigger: z.enum(runTriggers),
    schedule_id: z.string().nullable(),
    scheduled_for: time.nullable().meta({ description: 'The nominal time of a scheduled run, without jitter' }),
    rerun_of: z.string().nullable(),
    counts: z.object({
      read: count.meta({ description: 'Entities read from the source, and deletions applied' }),
      applied: count.meta({ description: '`created + updated + deleted`' }),
      created: count,
      updated: count,
      deleted: count,
      unchanged: count,
      rejected: count,
    }),
    pages: count,
    cursor: z
      .string()
      .nullable()
      .meta({ description: 'Where the next page begins; null when the source has been read' }),
    progress: z
      .object({ done: z.number(), total: z.number(), fraction: z.number().min(0).max(1) })
      .nullable()
      .meta({ description: 'How far the source has been read, where it can tell, in a unit of its own' }),
    rate: z.number().nullable().meta({ description: 'Entities read a second, on average over the attempt' }),
    remaining_seconds: z
      .number()
      .nullable()
      .meta({ description: 'An estimate, where the source can tell how far it is' }),
    activity: z.string().meta({ description: 'What the run is doing right now' }),
    reason: z.string().nullable().meta({ description: 'Why it failed, was skipped or is degraded' }),
    incomplete: z
      .array(z.string())
      .meta({ description: 'What could not be read though it is there; the first reasons' }),
    attempts: z.array(attemptSchema),
    workflow_id: z.string().meta({ description: 'Its workflow in Temporal' }),
    started_by: z.string(),
    started_at: time,
    updated_at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: 'Run' });

export type RunView = z.infer<typeof runViewSchema>;

export const runListSchema = z
  .object({ items: z.array(runViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'RunList' });

/** A saved source as the API shows it. */
export const sourceViewSchema = z
  .object({
    source_id: z.uuid(),
    name: z.string(),
    reads: z
      .string()
      .meta({ description: 'What the source says that it is: the `source_id` of its runs and entities' }),
    source: z.looseObject({ type: z.string() }).meta({ description: 'Its options, without credentials' }),
    created_by: z.string(),
    created_at: time,
    updated_by: z.string(),
    updated_at: time,
  })
  .meta({ id: 'SavedSource' });

export type SourceView = z.infer<typeof sourceViewSchema>;

export const sourceListSchema = z
  .object({ items: z.array(sourceViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'SavedSourceList' });

export const sourceTestSchema = z
  .object({
    ok: z.boolean(),
    reason: z.string().nullable().meta({ description: 'Why the source cannot be read, without credentials' }),
    latency_ms: z.number(),
  })
  .meta({ id: 'SourceTest' });
