import { z } from 'zod';
import { jobStates, letterFilterSchema, rawRangeSchema } from '#domain/transformation/job.ts';
import type { JobDoc, JobSample } from '#platform/mongo/transformation-jobs.ts';
import { pageLimit } from '../paging.ts';

export const jobsQuery = z.strictObject({
  limit: pageLimit('Jobs on one page'),
  cursor: z.string().max(128).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

/** Body of `POST /v1/reprocessings`. */
export const reprocessSchema = z
  .strictObject({
    ...rawRangeSchema.shape,
    dry_run: z.boolean().default(false).meta({ description: 'Say what would change, and change nothing' }),
  })
  .meta({ id: 'StartReprocessing' });

/** Body of `POST /v1/dead-letters/replay`. */
export const replayManySchema = z
  .strictObject({
    filter: letterFilterSchema
      .extend({ state: z.enum(['open', 'dropped']).default('open') })
      .meta({ description: 'Which letters; `{}` for all that are open' }),
    force: z
      .boolean()
      .default(false)
      .meta({ description: 'Apply a letter also where its entity has a newer record, as if it were said now' }),
  })
  .meta({ id: 'ReplayDeadLetters' });

/** Body of `POST /v1/dead-letters/{id}/replay`. */
export const replayOneSchema = z.strictObject({ force: z.boolean().default(false) }).meta({ id: 'ReplayDeadLetter' });

const time = z.iso.datetime();
const common = {
  job_id: z.uuid(),
  state: z.enum(jobStates),
  activity: z.string().meta({ description: 'What it is doing right now' }),
  pages: z.int().min(0),
  counts: z.record(z.string(), z.int()),
  reason: z.string().nullable().meta({ description: 'Why it failed' }),
  workflow_id: z.string().meta({ description: 'Its workflow in Temporal' }),
  started_by: z.string(),
  actions: z.array(z.object({ action: z.string(), by: z.string(), at: time })),
  started_at: time,
  updated_at: time,
  ended_at: time.nullable(),
};

export const replaySchema = z
  .object({
    ...common,
    filter: letterFilterSchema,
    record_id: z.string().nullable().meta({ description: 'The one letter that is replayed, if it is one' }),
    force: z.boolean(),
  })
  .meta({ id: 'Replay' });

export const reprocessingSchema = z
  .object({
    ...common,
    from: time,
    to: time,
    filter: rawRangeSchema.shape.filter,
    dry_run: z.boolean(),
    samples: z
      .array(
        z.object({
          metadata_id: z.string(),
          entity_type: z.string(),
          qualified_name: z.string(),
          change: z.enum(['created', 'updated', 'deleted']),
          differences: z.array(z.object({ path: z.string(), before: z.json().optional(), after: z.json().optional() })),
        }),
      )
      .meta({ description: 'Some of the entities that a dry run would change' }),
  })
  .meta({ id: 'Reprocessing' });

export const replayListSchema = z
  .object({ items: z.array(replaySchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ReplayList' });
export const reprocessingListSchema = z
  .object({ items: z.array(reprocessingSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ReprocessingList' });

const mostSamples = 50;

export function jobView(job: JobDoc): Record<string, unknown> {
  const common = {
    job_id: job._id,
    state: job.state,
    activity: job.activity,
    pages: job.pages,
    counts: job.counts,
    reason: job.reason ?? null,
    workflow_id: job.workflow_id,
    started_by: job.actor,
    actions: job.actions.map(({ action, by, at }) => ({ action, by, at: at.toISOString() })),
    started_at: job.started_at.toISOString(),
    updated_at: job.updated_at.toISOString(),
    ended_at: job.ended_at?.toISOString() ?? null,
  };
  if (job.replay !== undefined) {
    const { filter, record_id, force } = job.replay;
    return { ...common, filter, record_id: record_id ?? null, force };
  }
  const samples = (job.samples ?? []).flatMap(({ items }) => JSON.parse(items) as JobSample[]).slice(0, mostSamples);
  return { ...common, ...job.reprocess, samples };
}
