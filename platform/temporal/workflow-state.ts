import { WorkflowNotFoundError, type Client } from '@temporalio/client';

/** What Temporal knows of a workflow. */
export type WorkflowState = 'running' | 'ended' | 'absent';

export async function workflowState(temporal: Client, workflowId: string): Promise<WorkflowState> {
  try {
    const { status } = await temporal.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? 'running' : 'ended';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'absent';
    throw error;
  }
}
