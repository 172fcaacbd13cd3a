import { z } from 'zod';
import { limits } from '#domain/limits.ts';
import { runStates } from '#domain/openlineage/run.ts';

/** A whole number in a query. */
function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .pipe(z.int().min(min, message).max(max, message));
}

export const graphQuery = z.strictObject({
  nodeId: z
    .string()
    .max(2 * limits.qualifiedNameLength)
    .meta({ description: '`dataset:<namespace>:<name>` or `job:<namespace>:<name>`' }),
  depth: wholeNumber(0, limits.lineageDepth)
    .default(limits.lineageDepth)
    .meta({ description: 'Steps from job to job by a dataset that both read or write' }),
  aggregateToParentRun: z.enum(['true', 'false']).optional().meta({ description: 'Taken, and without effect' }),
});

export const pageQuery = z.strictObject({
  limit: wholeNumber(0, 1_000).default(100).meta({ description: 'Items on one page' }),
  offset: wholeNumber(0, 1_000_000).default(0).meta({ description: 'Items to leave out at the beginning' }),
  lastRunStates: z.string().optional().meta({ description: 'Taken, and without effect' }),
});

export const runsQuery = z.strictObject({
  namespace: z
    .string()
    .min(1)
    .max(limits.lineageNamespaceLength)
    .optional()
    .meta({ description: "The job's namespace; with `job`" }),
  job: z.string().min(1).max(limits.nameLength).optional().meta({ description: "The job's name; with `namespace`" }),
  job_id: z.uuid().optional().meta({ description: "The job's metadata id" }),
  state: z.enum(runStates, { error: `must be one of: ${runStates.join(', ')}` }).optional(),
  limit: wholeNumber(1, limits.pageSize).default(limits.defaultPageSize).meta({ description: 'Runs on one page' }),
  cursor: z.string().max(256).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

const time = z.iso.datetime();
const name = z.object({ namespace: z.string(), name: z.string() });
const facets = z.record(z.string(), z.looseObject({}));

/** A run of a job, as OpenLineage events told of it. */
export const lineageRunSchema = z
  .object({
    run_id: z.uuid(),
    job: name.extend({ metadata_id: z.string() }),
    state: z.enum(runStates),
    started_at: time,
    ended_at: time.nullable(),
    duration_ms: z.number().nullable(),
    nominal_start_time: z.string().nullable(),
    nominal_end_time: z.string().nullable(),
    parent: z
      .object({ run_id: z.string(), job: name })
      .nullable()
      .meta({ description: 'The run that this one is a part of' }),
    error: z
      .object({
        message: z.string(),
        programming_language: z.string().nullable(),
        stack_trace: z.string().nullable(),
      })
      .nullable(),
    inputs: z.array(name),
    outputs: z.array(name),
    facets: facets.meta({ description: 'The run facets, the newest of each name' }),
    producer: z.string(),
    updated_at: time,
  })
  .meta({ id: 'LineageRun' });

export type LineageRunView = z.infer<typeof lineageRunSchema>;

export const lineageRunListSchema = z
  .object({ items: z.array(lineageRunSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'LineageRunList' });

const edges = z.array(z.object({ origin: z.string(), destination: z.string() }));

export const graphSchema = z
  .object({
    graph: z.array(
      z.object({
        id: z.string(),
        type: z.enum(['DATASET', 'JOB']),
        data: z.looseObject({ id: name, name: z.string(), namespace: z.string() }),
        inEdges: edges,
        outEdges: edges,
      }),
    ),
  })
  .meta({ id: 'MarquezLineage', description: 'The lineage graph in the form of Marquez' });

export const batchResultSchema = z
  .object({
    status: z.enum(['success', 'partial_success']),
    summary: z.object({
      received: z.int(),
      successful: z.int(),
      failed: z.int(),
      retriable: z.int(),
      non_retriable: z.int(),
    }),
    failed_events: z.array(z.object({ index: z.int(), reason: z.string(), retriable: z.boolean() })),
  })
  .meta({ id: 'LineageBatchResult' });
