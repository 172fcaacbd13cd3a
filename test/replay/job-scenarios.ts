import { ApplicationFailure } from '@temporalio/common';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { jobWorkflowId, type JobKind, type JobRequest } from '#domain/transformation/job.ts';
import { gate } from '#test/support/fake-ingestion.ts';
import { fakeReplay, fakeReprocessing } from '#test/support/fake-jobs.ts';
import type { Scenario } from './scenarios.ts';

const tenantId = 'acme';

/** The ways that replays and reprocessings go. */
export function jobScenarios(): Scenario[] {
  return [
    job('replay', 'replay-dead-letters', fakeReplay({ pages: [4, 2], waves: 2 }).activities),
    job('replay', 'replay-dead-letters-failed', fakeReplay({ pages: [4], onBatch: refuses }).activities),
    replayThatIsSteered('replay-dead-letters-cancelled'),
    job('reprocess', 'reprocess-raw-records', fakeReprocessing({ pages: 3 }).activities),
    job('reprocess', 'reprocess-raw-records-continued', fakeReprocessing({ pages: 3 }).activities, {
      pagesPerExecution: 2,
    }),
  ];
}

const refuses = (): void => {
  throw ApplicationFailure.nonRetryable('too large', 'body-too-large');
};

/** Paused while a page is under way, resumed, and cancelled. */
function replayThatIsSteered(name: string): Scenario {
  const [reached, door] = [gate(), gate()];
  const { activities } = fakeReplay({
    pages: [4, 4, 4],
    async onPage(page) {
      if (page !== 2) return;
      reached.open();
      await door.passed;
    },
  });
  return {
    name,
    activities,
    async play(client) {
      const handle = await start(client, 'replay', name);
      await reached.passed;
      await handle.executeUpdate('pause');
      await handle.executeUpdate('resume');
      await handle.executeUpdate('cancel');
      door.open();
      await handle.result();
      return handle;
    },
  };
}

function job(
  kind: JobKind,
  name: string,
  activities: Scenario['activities'],
  options: Partial<JobRequest> = {},
): Scenario {
  return {
    name,
    activities,
    async play(client) {
      const handle = await start(client, kind, name, options);
      await handle.result().catch(() => undefined);
      return handle;
    },
  };
}

function start(
  client: Client,
  kind: JobKind,
  jobId: string,
  options: Partial<JobRequest> = {},
): Promise<WorkflowHandle> {
  const type = kind === 'replay' ? 'replayDeadLetters' : 'reprocessRawRecords';
  const request: JobRequest = { tenantId, jobId, actor: 'ada', ...options };
  return client.workflow.start(type, {
    workflowId: jobWorkflowId(kind, request),
    taskQueue: taskQueues.pipeline,
    args: [request],
    typedSearchAttributes: typedLabels({ tenant: tenantId, job: type, source: kind, subject: jobId }),
    staticSummary: 'a recorded job',
  });
}
