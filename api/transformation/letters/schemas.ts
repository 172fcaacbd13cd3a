import { z } from 'zod';
import { hasRole, type Principal } from '#domain/access/principal.ts';
import { ingestRecordSchema } from '#domain/assets/record.ts';
import { doors } from '#domain/transformation/batch.ts';
import { deadLetterReasons, deadLetterStates } from '#domain/transformation/dead-letter.ts';
import { letterFilterSchema } from '#domain/transformation/job.ts';
import type { DeadLetterDoc, RawRecordDoc } from '#platform/mongo/collections.ts';
import { pageLimit } from '../paging.ts';

export const lettersQuery = letterFilterSchema.extend({
  counts: z.enum(['true', 'false']).default('false').meta({ description: 'Also count them by reason' }),
  limit: pageLimit('Letters on one page'),
  cursor: z.string().max(2_048).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

/** Body of `PUT /v1/dead-letters/{id}`. */
export const mendSchema = z
  .strictObject({ body: ingestRecordSchema.meta({ description: 'The record as it should have been' }) })
  .meta({ id: 'MendDeadLetter' });

/** Body of `POST /v1/dead-letters/{id}/discard`. */
export const discardSchema = z.strictObject({ reason: z.string().min(1).max(1_000) }).meta({ id: 'DiscardDeadLetter' });

const time = z.iso.datetime();

export const letterSchema = z
  .object({
    record_id: z.string(),
    metadata_id: z.string(),
    state: z.enum(deadLetterStates).meta({
      description: '`dropped`: a rule took it out on purpose; `resolved`: a replay of it was applied',
    }),
    reason: z.enum(deadLetterReasons),
    detail: z.string().meta({ description: 'What to mend' }),
    rule: z.string().nullable().meta({ description: 'The transformation rule that dropped it or failed on it' }),
    door: z.enum(doors),
    source: z.string(),
    batch_id: z.string(),
    received_at: time,
    failed_at: time,
    mended: z.object({ at: time, by: z.string(), body: z.string().optional() }).nullable(),
    discarded: z.object({ reason: z.string(), at: time, by: z.string() }).nullable(),
    attempts: z.array(
      z.object({
        attempt: z.int(),
        record_id: z.string(),
        job_id: z.string(),
        at: time,
        by: z.string(),
        forced: z.boolean(),
        outcome: z.enum(['resolved', 'rejected']),
        reason: z.enum(deadLetterReasons).optional(),
        detail: z.string().optional(),
      }),
    ),
    body: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'The record as it arrived, for editors; null when it is no longer kept' }),
  })
  .meta({ id: 'DeadLetter' });

export const letterListSchema = z
  .object({
    items: z.array(letterSchema),
    counts: z.record(z.string(), z.int()).optional(),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: 'DeadLetterList' });

/** A letter as the principal may see it: bodies may hold what is secret, so they are for those who may also write. */
export function letterView(
  letter: DeadLetterDoc,
  principal: Principal,
  raw?: RawRecordDoc | null,
): z.infer<typeof letterSchema> {
  const bodies = raw !== undefined && hasRole(principal, 'editor');
  const { mended, discarded } = letter;
  return {
    record_id: letter._id,
    metadata_id: letter.entity_id,
    state: letter.state,
    reason: letter.reason,
    detail: letter.detail,
    rule: letter.rule ?? null,
    door: letter.door,
    source: letter.source,
    batch_id: letter.batch_id,
    received_at: letter.received_at.toISOString(),
    failed_at: letter.failed_at.toISOString(),
    mended:
      mended === undefined
        ? null
        : { at: mended.at.toISOString(), by: mended.by, ...(bodies && { body: mended.body }) },
    discarded: discarded === undefined ? null : { ...discarded, at: discarded.at.toISOString() },
    attempts: letter.attempts.map(({ job, page: _page, at, ...attempt }) => ({
      ...attempt,
      job_id: job,
      at: at.toISOString(),
    })),
    ...(bodies && { body: raw?.body ?? null }),
  };
}
