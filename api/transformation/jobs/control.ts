import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { LilyError } from '#domain/errors.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { jobWorkflowId, type JobKind, type JobProgress, type JobRequest } from '#domain/transformation/job.ts';
import { dependencyTimeoutMs, inTime } from '../../http/outage.ts';

export const jobActions = ['pause', 'resume', 'cancel'] as const;
export type JobAction = (typeof jobActions)[number];

const workflowTypes = { replay: 'replayDeadLetters', reprocess: 'reprocessRawRecords' } as const;
/** Longer than an update takes with a worker at hand, shorter than a caller is patient. */
const updateTimeoutMs = 10_000;

export type JobControl = ReturnType<typeof jobControl>;

/** Starts and steers the workflows of replays and reprocessings. */
export function jobControl(temporal: Client) {
  return {
    /** Starts the job's workflow; started before, it is left as it is. */
    async start(kind: JobKind, request: JobRequest, summary: string): Promise<void> {
      const { tenantId, jobId, actor } = request;
      const type = workflowTypes[kind];
      const starting = temporal.workflow.start(type, {
        workflowId: jobWorkflowId(kind, request),
        taskQueue: taskQueues.pipeline,
        args: [request],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        typedSearchAttributes: typedLabels({ tenant: tenantId, job: type, source: kind, subject: jobId }),
        staticSummary: summary,
        staticDetails: `Job ${jobId} of tenant ${tenantId}, started by ${actor}`,
      });
      try {
        await inTime('Temporal', starting);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    },

    /** Whether the job's workflow runs. */
    async isRunning(workflowId: string): Promise<boolean> {
      try {
        const { status } = await inTime('Temporal', temporal.workflow.getHandle(workflowId).describe());
        return status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    /** Asks the job to do something. @throws LilyError `conflict` when that makes no sense in its state */
    async act(workflowId: string, action: JobAction): Promise<JobProgress> {
      const handle = temporal.workflow.getHandle(workflowId);
      try {
        const deadline = Date.now() + updateTimeoutMs;
        const update = temporal.withDeadline(deadline, () => handle.executeUpdate<JobProgress, []>(action));
        return await inTime('Temporal', update, updateTimeoutMs + dependencyTimeoutMs);
      } catch (error) {
        throw asControlError(error);
      }
    },
  };
}

function asControlError(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const detail = error.cause instanceof Error ? error.cause.message : 'The job does not take this now.';
    return new LilyError('conflict', detail, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) return new LilyError('conflict', 'The job has ended.', { cause: error });
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    const detail = 'No worker answers for the job right now. It may still obey: look at its state.';
    return new LilyError('unavailable', detail, { cause: error });
  }
  return error;
}
