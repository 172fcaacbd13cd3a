import { z } from 'zod';
import { runStates } from '#domain/ingestion/run.ts';
import { sourceSchema } from '#domain/ingestion/source.ts';
import { limits } from '#domain/limits.ts';

/** Body of `POST /v1/ingestions`. */
export const startRunSchema = z.strictObject({ source: sourceSchema }).meta({ id: 'StartRun' });

const wholeNumber = `must be a whole number from 1 to ${limits.pageSize}`;

export const listQuery = z.strictObject({
  state: z
    .enum(runStates, { error: `must be one of: ${runStates.join(', ')}` })
    .optional()
    .meta({ description: 'Only runs in this state' }),
  limit: z
    .string()
    .regex(/^\d{1,9}$/, wholeNumber)
    .transform(Number)
    .pipe(z.int().min(1, wholeNumber).max(limits.pageSize, wholeNumber))
    .default(limits.defaultPageSize)
    .meta({ description: 'Runs on one page' }),
  cursor: z.string().max(128).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

const count = z.int().min(0);
const time = z.iso.datetime();

/** A run as the API shows it. */
export const runViewSchema = z
  .object({
    run_id: z.uuid(),
    state: z.enum(runStates).meta({
      description:
        '`degraded`: everything that was read is applied, but the source changed while it was read, so nothing was deleted',
    }),
    source_id: z.string(),
    source: z.looseObject({ type: z.string() }).meta({ description: 'What is read, without credentials' }),
    counts: z.object({
      read: count.meta({ description: 'Entities read from the source, and deletions found' }),
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
    activity: z.string().meta({ description: 'What the run is doing right now' }),
    reason: z.string().nullable().meta({ description: 'Why it failed or is degraded' }),
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
