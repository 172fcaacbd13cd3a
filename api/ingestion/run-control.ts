import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { LilyError } from '#domain/errors.ts';
import type { IngestSourceRequest, RunProgress } from '#domain/ingestion/run.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { workflowState, type WorkflowState } from '#platform/temporal/workflow-state.ts';
import { inTime, dependencyTimeoutMs } from '../http/outage.ts';

export const runActions = ['pause', 'resume', 'cancel'] as const;
export type RunAction = (typeof runActions)[number];

export type RunControl = ReturnType<typeof runControl>;

/** Longer than an update takes with a worker at hand, shorter than a caller is patient. */
const updateTimeoutMs = 10_000;

/** Starts and steers the workflows of runs. */
export function runControl(temporal: Client) {
  return {
    /** Starts the run's workflow; started before, it is left as it is. */
    async start(request: IngestSourceRequest, workflowId: string, place: string): Promise<void> {
      const { tenantId, sourceType, runId } = request;
      const starting = temporal.workflow.start('ingestSource', {
        workflowId,
        taskQueue: taskQueues.ingestion,
        args: [request],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        typedSearchAttributes: typedLabels({
          tenant: tenantId,
          job: 'ingestSource',
          source: sourceType,
          subject: runId,
        }),
        staticSummary: `Reads ${place}`,
        staticDetails: `Run ${runId} of tenant ${tenantId}, started by ${request.actor}`,
      });
      try {
        await inTime('Temporal', starting);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    },

    state(workflowId: string): Promise<WorkflowState> {
      return inTime('Temporal', workflowState(temporal, workflowId));
    },

    /** Asks the run to do something. @throws LilyError `conflict` when that makes no sense in its state */
    async act(workflowId: string, action: RunAction): Promise<RunProgress> {
      const handle = temporal.workflow.getHandle(workflowId);
      try {
        const deadline = Date.now() + updateTimeoutMs;
        const update = temporal.withDeadline(deadline, () => handle.executeUpdate<RunProgress, []>(action));
        return await inTime('Temporal', update, updateTimeoutMs + dependencyTimeoutMs);
      } catch (error) {
        throw asControlError(error);
      }
    },
  };
}

function asControlError(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const detail = error.cause instanceof Error ? error.cause.message : 'The run does not take this now.';
    return new LilyError('conflict', detail, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) return new LilyError('conflict', 'The run has ended.', { cause: error });
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new LilyError(
      'unavailable',
      'No worker answers for the run right now. It may still obey: look at its state.',
      { cause: error },
    );
  }
  return error;
}
