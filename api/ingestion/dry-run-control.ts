import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { PreviewRequest } from '#domain/ingestion/dry-run.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { workflowState, type WorkflowState } from '#platform/temporal/workflow-state.ts';
import { inTime } from '../http/outage.ts';

export type DryRunControl = ReturnType<typeof dryRunControl>;

/** Starts and ends the workflows of dry runs. */
export function dryRunControl(temporal: Client) {
  return {
    /** Started before, it is left as it is. */
    async start(request: PreviewRequest, workflowId: string): Promise<void> {
      const { tenantId, sourceType, sourceId, dryRunId, actor } = request;
      const starting = temporal.workflow.start('previewSource', {
        workflowId,
        taskQueue: taskQueues.ingestion,
        args: [request],
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        typedSearchAttributes: typedLabels({
          tenant: tenantId,
          job: 'previewSource',
          source: sourceType,
          subject: dryRunId,
        }),
        staticSummary: `Previews ${sourceId}`,
        staticDetails: `Dry run ${dryRunId} of tenant ${tenantId}, started by ${actor}`,
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

    /** Asks it to end; one that has ended already is left alone. */
    async cancel(workflowId: string): Promise<void> {
      try {
        await inTime('Temporal', temporal.workflow.getHandle(workflowId).cancel());
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
