import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { LilyError } from '#domain/errors.ts';
import type { Incident, IncidentAction, IncidentUpdateName } from '#domain/incidents/record.ts';
import { dependencyTimeoutMs, inTime } from '../http/outage.ts';

export type IncidentControl = ReturnType<typeof incidentControl>;

/** Longer than an update takes with a worker at hand, shorter than a caller is patient. */
const updateTimeoutMs = 10_000;

/** Acts on incidents, by updates to their workflows. */
export function incidentControl(temporal: Client) {
  return {
    /**
     * The incident as it is after the action. The same `action_id` again has no further effect.
     * @throws LilyError `conflict` when the action makes no sense now; `unavailable` when no worker answers
     */
    async act(workflowId: string, update: IncidentUpdateName, action: IncidentAction): Promise<Incident> {
      const handle = temporal.workflow.getHandle(workflowId);
      try {
        const acting = temporal.withDeadline(Date.now() + updateTimeoutMs, () =>
          handle.executeUpdate<Incident, [IncidentAction]>(update, { args: [action], updateId: action.action_id }),
        );
        return await inTime('Temporal', acting, updateTimeoutMs + dependencyTimeoutMs);
      } catch (error) {
        throw asControlError(error);
      }
    },
  };
}

function asControlError(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const detail = error.cause instanceof Error ? error.cause.message : 'The incident does not take this now.';
    return new LilyError('conflict', detail, { cause: error });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new LilyError('conflict', 'The incident is over.', { cause: error });
  }
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    const detail = 'No worker answers for the incident right now. It may still happen: look at the incident.';
    return new LilyError('unavailable', detail, { cause: error });
  }
  return error;
}
