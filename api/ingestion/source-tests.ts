import { WorkflowFailedError, type Client } from '@temporalio/client';
import { LilyError } from '#domain/errors.ts';
import {
  sourceTestTimeoutMs,
  sourceTestWorkflowId,
  type SourceTestRequest,
  type SourceTestResult,
} from '#domain/ingestion/saved-source.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { inTime } from '../http/outage.ts';

export type SourceTests = ReturnType<typeof sourceTests>;

/** What a worker needs beside the time that the source is given. */
const workerTimeMs = 5_000;

/** Has workers try saved sources: they are where runs read them, and the API is not. */
export function sourceTests(temporal: Client) {
  return {
    /** @throws LilyError `unavailable` when no worker answers in time */
    async run(request: SourceTestRequest, { name, type }: { name: string; type: string }): Promise<SourceTestResult> {
      const { tenantId, savedSourceId } = request;
      const timeoutMs = sourceTestTimeoutMs + workerTimeMs;
      const testing = temporal.workflow.execute('testSource', {
        workflowId: sourceTestWorkflowId(tenantId, savedSourceId),
        taskQueue: taskQueues.ingestion,
        args: [request],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowExecutionTimeout: timeoutMs,
        typedSearchAttributes: typedLabels({
          tenant: tenantId,
          job: 'testSource',
          source: type,
          subject: savedSourceId,
        }),
        staticSummary: `Tries the source ${name}`,
        staticDetails: `Saved source ${savedSourceId} of tenant ${tenantId}`,
      }) as Promise<SourceTestResult>;
      try {
        return await inTime('Temporal', testing, timeoutMs + 1_000);
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        throw new LilyError('unavailable', 'No worker could try the source right now.', { cause: error });
      }
    },
  };
}
