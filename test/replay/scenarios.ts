import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import type { PropagationActivities } from '#activities/propagation/index.ts';
import { runWorkflowId, type IngestSourceRequest } from '#domain/ingestion/run.ts';
import type { PropagationRequest } from '#domain/propagation/impact.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { propagationWorkflowId, transformWorkflowId, type BatchRef } from '#domain/transformation/batch.ts';
import { fakeIngestion, gate, type FakeSource } from '#test/support/fake-ingestion.ts';
import { fakeTransformation, type Fault } from '#test/support/fake-transformation.ts';
import type { ingestSource } from '#workflows/ingestion/ingest-source.ts';
import type { propagateChanges } from '#workflows/propagation/propagate-changes.ts';
import type { transformBatch } from '#workflows/transformation/transform-batch.ts';

/** A story that a workflow lives through while its history is recorded. */
export interface Scenario {
  /** The name of the file that its history is kept in. */
  name: string;
  activities: NonNullable<WorkerOptions['activities']>;
  /** Plays it to its end, and gives the execution that it began with. */
  play(client: Client): Promise<WorkflowHandle>;
}

/** Every workflow type by every way that it goes, with steps that touch no store. */
export function scenarios(): Scenario[] {
  return [
    transformation('transform-batch-fast', fakeTransformation()),
    transformation('transform-batch-durable', fakeTransformation({ fault: failsTheFastWay })),
    transformation('transform-batch-failed', fakeTransformation({ fault: refuses })),
    transformation('transform-batch-propagates', fakeTransformation({ roots: 3 })),
    propagation('propagate-changes'),
    run('ingest-source', { pages: 3, deletions: { pages: 1, records: 4 } }),
    run('ingest-source-changing', { pages: 2, fingerprints: ['one', 'two', 'two'] }),
    run('ingest-source-continued', { pages: 5, deletions: { pages: 2, records: 14 } }, { pagesPerExecution: 2 }),
    runThatIsPaused('ingest-source-paused'),
    runThatIsCancelled('ingest-source-cancelled'),
    run('ingest-source-failed', { pages: 2, onPage: unreachable }),
  ];
}

const tenantId = 'acme';

const failsTheFastWay: Fault = ({ step, way }, earlier) => {
  if (step === 'storeEntities' && (way === 'fast' || earlier < 3)) throw new Error('the store is away');
};

const refuses: Fault = ({ step, way }) => {
  if (step !== 'publishChanges') return;
  if (way === 'fast') throw new Error('the broker is away');
  throw ApplicationFailure.nonRetryable('too large', 'body-too-large');
};

const unreachable = ({ page }: { page: number }): void => {
  if (page === 2) throw ApplicationFailure.nonRetryable('db:5432 refuses connections.', 'source-refused');
};

const impacts: PropagationActivities = {
  emitImpacts: async ({ roots }) => ({ roots, affected: 5 }),
};

function transformation(name: string, { activities }: ReturnType<typeof fakeTransformation>): Scenario {
  const batch: BatchRef = { tenantId, batchId: `${tenantId}:lily.ingest:0:${name}`, source: 'lily.ingest' };
  return {
    name,
    activities: { ...activities, ...impacts },
    async play(client) {
      const handle = await client.workflow.start<typeof transformBatch>('transformBatch', {
        workflowId: transformWorkflowId(batch.batchId),
        taskQueue: taskQueues.pipeline,
        args: [batch],
        typedSearchAttributes: labels('transformBatch', batch.source, batch.batchId),
        staticSummary: 'a recorded batch',
      });
      return ended(handle);
    },
  };
}

function propagation(name: string): Scenario {
  let attempts = 0;
  const emitImpacts: PropagationActivities['emitImpacts'] = async ({ roots }) => {
    attempts += 1;
    if (attempts < 3) throw new Error('the graph is away');
    return { roots, affected: 5 };
  };
  const request: PropagationRequest = { tenantId, batchId: `${tenantId}:lily.ingest:0:${name}`, roots: 2 };
  return {
    name,
    activities: { emitImpacts },
    async play(client) {
      const handle = await client.workflow.start<typeof propagateChanges>('propagateChanges', {
        workflowId: propagationWorkflowId(request.batchId),
        taskQueue: taskQueues.pipeline,
        args: [request],
        typedSearchAttributes: labels('propagateChanges', 'lily.ingest', request.batchId),
      });
      return ended(handle);
    },
  };
}

function run(name: string, source: FakeSource, options: Partial<IngestSourceRequest> = {}): Scenario {
  const { activities } = fakeIngestion(source);
  return { name, activities, play: async (client) => ended(await startRun(client, name, options)) };
}

/** Paused and resumed while a page is being read, again when nothing is under way. */
function runThatIsPaused(name: string): Scenario {
  const [reached, door] = [gate(), gate()];
  const { activities } = fakeIngestion({
    pages: 4,
    async onPage({ page }) {
      if (page !== 2) return;
      reached.open();
      await door.passed;
    },
  });
  return {
    name,
    activities,
    async play(client) {
      const handle = await startRun(client, name);
      await reached.passed;
      await handle.executeUpdate('pause');
      door.open();
      await handle.executeUpdate('resume');
      return ended(handle);
    },
  };
}

function runThatIsCancelled(name: string): Scenario {
  const [reached, door] = [gate(), gate()];
  const { activities } = fakeIngestion({
    pages: 4,
    async onPage({ page }) {
      if (page !== 3) return;
      reached.open();
      await door.passed;
    },
  });
  return {
    name,
    activities,
    async play(client) {
      const handle = await startRun(client, name);
      await reached.passed;
      await handle.executeUpdate('cancel');
      await ended(handle);
      door.open();
      return handle;
    },
  };
}

function startRun(
  client: Client,
  runId: string,
  options: Partial<IngestSourceRequest> = {},
): Promise<WorkflowHandle<typeof ingestSource>> {
  const request: IngestSourceRequest = {
    tenantId,
    runId,
    sourceId: 'postgres:warehouse',
    sourceType: 'postgres',
    actor: 'ada',
    ...options,
  };
  return client.workflow.start<typeof ingestSource>('ingestSource', {
    workflowId: runWorkflowId(tenantId, request.sourceId, runId),
    taskQueue: taskQueues.ingestion,
    args: [request],
    typedSearchAttributes: labels('ingestSource', 'postgres', request.sourceId),
  });
}

function labels(job: string, source: string, subject: string): ReturnType<typeof typedLabels> {
  return typedLabels({ tenant: tenantId, job, source, subject });
}

/** Waits for the end, a good one or a bad one. */
async function ended<H extends WorkflowHandle>(handle: H): Promise<H> {
  await handle.result().catch((error: unknown) => {
    if (!(error instanceof WorkflowFailedError)) throw error;
  });
  return handle;
}
