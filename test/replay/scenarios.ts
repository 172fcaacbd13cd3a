import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import type { PropagationActivities } from '#activities/propagation/index.ts';
import {
  resumptionOf,
  runBatchId,
  runWorkflowId,
  type IngestSourceRequest,
  type RunReport,
} from '#domain/ingestion/run.ts';
import { dryRunWorkflowId, type PreviewRequest } from '#domain/ingestion/dry-run.ts';
import { sourceTestWorkflowId } from '#domain/ingestion/saved-source.ts';
import { backfillWorkflowId, fireWorkflowId, type Turn } from '#domain/ingestion/schedule.ts';
import type { PropagationRequest } from '#domain/propagation/impact.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { noCounts, propagationWorkflowId, transformWorkflowId, type BatchRef } from '#domain/transformation/batch.ts';
import { fakeIngestion, gate, type FakeSource } from '#test/support/fake-ingestion.ts';
import { fakePreview, type FakePreview } from '#test/support/fake-preview.ts';
import { fakeScheduling, type FakeSchedule } from '#test/support/fake-scheduling.ts';
import { fakeTransformation, type Fault } from '#test/support/fake-transformation.ts';
import type { backfillSchedule } from '#workflows/ingestion/backfill-schedule.ts';
import type { fireSchedule } from '#workflows/ingestion/fire-schedule.ts';
import type { ingestSource } from '#workflows/ingestion/ingest-source.ts';
import type { previewSource } from '#workflows/ingestion/preview-source.ts';
import type { testSource } from '#workflows/ingestion/test-source.ts';
import type { propagateChanges } from '#workflows/propagation/propagate-changes.ts';
import type { transformBatch } from '#workflows/transformation/transform-batch.ts';
import { incidentScenarios } from './incident-scenarios.ts';
import { jobScenarios } from './job-scenarios.ts';
import { streamScenarios } from './stream-scenarios.ts';

const tenantId = 'acme';

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
    run('ingest-source-incomplete', { pages: 3, incomplete: { 2: ['schema hr: permission denied'] } }),
    run('ingest-source-retried', { pages: 3, incomplete: {} }, { attempt: 2, resume: stoppedAfterPageTwo }),
    sourceTest('test-source'),
    preview('preview-source', { pages: 3 }),
    preview('preview-source-incomplete', { pages: 2, incompletePage: 1 }),
    preview('preview-source-failed', { pages: 2, onPage: unreachable }),
    firing('fire-schedule', { jitterMs: 2_000 }),
    firing('fire-schedule-skipped', { overlap: 'skip', turns: [held] }),
    firing('fire-schedule-waits', { overlap: 'cancel_other', turns: [held, { outcome: 'full' }, held] }),
    backfilling('backfill-schedule'),
    ...streamScenarios(),
    ...incidentScenarios(),
    ...jobScenarios(),
  ];
}

const held: Turn = {
  outcome: 'held',
  holderRunId: 'another',
  holderWorkflowId: 'ingest:acme:postgres:warehouse:another',
};

/** An attempt that read two pages, one of them in part, and whose last batch was not applied. */
const stoppedAfterPageTwo: RunReport = resumptionOf(
  { state: 'failed', counts: { ...noCounts, read: 20, created: 10 }, pages: 2, cursor: 'after 2', activity: 'Ended' },
  7,
  {
    pass: 1,
    passesLeft: 1,
    pagesOfPass: 2,
    fingerprint: 'same',
    gaps: [{ page: 2, cursor: 'after 1', reasons: ['schema hr: permission denied'] }],
    gapsBeyond: 0,
    unapplied: [runBatchId(tenantId, 'ingest-source-retried', '1:2')],
  },
);

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

function preview(name: string, source: FakePreview): Scenario {
  const { activities } = fakePreview(source);
  const request: PreviewRequest = { tenantId, dryRunId: name, sourceId: 'file:erp', sourceType: 'file', actor: 'ada' };
  return {
    name,
    activities,
    async play(client) {
      const handle = await client.workflow.start<typeof previewSource>('previewSource', {
        workflowId: dryRunWorkflowId(tenantId, name),
        taskQueue: taskQueues.ingestion,
        args: [request],
        typedSearchAttributes: labels('previewSource', 'file', name),
      });
      return ended(handle);
    },
  };
}

function sourceTest(name: string): Scenario {
  const { activities } = fakeScheduling();
  return {
    name,
    activities,
    async play(client) {
      const handle = await client.workflow.start<typeof testSource>('testSource', {
        workflowId: sourceTestWorkflowId(tenantId, name),
        taskQueue: taskQueues.ingestion,
        args: [{ tenantId, savedSourceId: name }],
        typedSearchAttributes: labels('testSource', 'postgres', name),
      });
      return ended(handle);
    },
  };
}

function firing(name: string, schedule: FakeSchedule): Scenario {
  return {
    name,
    activities: { ...fakeIngestion({ pages: 1 }).activities, ...fakeScheduling(schedule).activities },
    async play(client) {
      const handle = await client.workflow.start<typeof fireSchedule>('fireSchedule', {
        workflowId: `${fireWorkflowId(tenantId, 'warehouse', name)}-2026-01-31T02:30:00Z`,
        taskQueue: taskQueues.ingestion,
        args: [{ tenantId, scheduleId: name }],
        typedSearchAttributes: labels('fireSchedule', 'warehouse', name),
      });
      return ended(handle);
    },
  };
}

function backfilling(name: string): Scenario {
  const times = ['2026-01-29T02:30:00.000Z', '2026-01-30T02:30:00.000Z', '2026-01-31T02:30:00.000Z'];
  const done = times.slice(1, 2);
  return {
    name,
    activities: { ...fakeIngestion({ pages: 1 }).activities, ...fakeScheduling({ done }).activities },
    async play(client) {
      const handle = await client.workflow.start<typeof backfillSchedule>('backfillSchedule', {
        workflowId: backfillWorkflowId(tenantId, name, 'first'),
        taskQueue: taskQueues.ingestion,
        args: [{ tenantId, scheduleId: name, savedSourceId: 'warehouse', backfillId: 'first', times }],
        typedSearchAttributes: labels('backfillSchedule', 'warehouse', name),
      });
      return ended(handle);
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
