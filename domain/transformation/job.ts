import { z } from 'zod';
import { doors } from './batch.ts';
import { deadLetterReasons, deadLetterStates } from './dead-letter.ts';

/** Work over many records that somebody starts and watches: `replay` of dead letters, `reprocess` of raw records. */
export type JobKind = 'replay' | 'reprocess';

export const jobStates = ['running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type JobState = (typeof jobStates)[number];

export function isJobFinal(state: JobState): boolean {
  return state !== 'running' && state !== 'paused';
}

/** How far a job is: the answer of the workflow's `progress` query, and what is kept of it. */
export interface JobProgress {
  state: JobState;
  /** One sentence for people: what it is doing right now. */
  activity: string;
  pages: number;
  counts: Record<string, number>;
  /** Why it failed. */
  reason?: string;
}

/** Progress with its place in the order of all that was ever reported of the job. */
export interface JobReport {
  progress: JobProgress;
  revision: number;
}

/** Names a job for its workflow and activities; what it is to do stands in its document. */
export interface JobRef {
  tenantId: string;
  jobId: string;
}

export interface JobRequest extends JobRef {
  /** Who started it. */
  actor: string;
  /** Pages after which the workflow continues as new; without it, when Temporal suggests so. */
  pagesPerExecution?: number;
  /** Carried through continue-as-new. */
  resume?: JobReport & { cursor?: string };
}

export function jobWorkflowId(kind: JobKind, { tenantId, jobId }: JobRef): string {
  return `${kind}:${tenantId}:${jobId}`;
}

/** @param part the page, or the page and the wave within it */
export function jobBatchId(kind: JobKind, { tenantId, jobId }: JobRef, part: string): string {
  return `${tenantId}:${kind}:${jobId}:${part}`;
}

const momentSchema = z.iso.datetime({ offset: true });

/** Which dead letters. All that is given must hold. */
export const letterFilterSchema = z.strictObject({
  state: z.enum(deadLetterStates).optional(),
  reason: z.enum(deadLetterReasons).optional(),
  door: z.enum(doors).optional(),
  source: z.string().min(1).max(256).optional().meta({ description: 'The topic, or the type of the source' }),
  run: z.string().min(1).max(128).optional().meta({ description: 'The id of an ingestion run' }),
  rule: z.string().min(1).max(64).optional(),
  from: momentSchema.optional().meta({ description: 'Rejected at this moment or later' }),
  to: momentSchema.optional().meta({ description: 'Rejected before this moment' }),
  text: z
    .string()
    .min(1)
    .max(200)
    // The store looks for it with a pattern, and a pattern ends at its first NUL.
    .refine((text) => !text.includes('\0'), 'must not contain NUL')
    .optional()
    .meta({ description: 'Found in the detail or the record id' }),
});

export type LetterFilter = z.infer<typeof letterFilterSchema>;

/** Which raw records, by when they arrived. */
export const rawRangeSchema = z
  .strictObject({
    from: momentSchema.meta({ description: 'Arrived at this moment or later' }),
    to: momentSchema.meta({ description: 'Arrived before this moment' }),
    filter: z
      .strictObject({
        door: z.enum(doors).optional(),
        source: z.string().min(1).max(256).optional().meta({ description: 'The topic, or the type of the source' }),
        entity_type: z.string().min(1).max(64).optional(),
      })
      .default({}),
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { error: 'must be later than from', path: ['to'] });

export type RawRange = z.infer<typeof rawRangeSchema>;
