import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { PropagationActivities } from '#activities/propagation/index.ts';
import type { PropagationRequest, PropagationResult } from '#domain/propagation/impact.ts';

const { emitImpacts } = proxyActivities<PropagationActivities>({
  // A hundred thousand affected entities take tens of seconds; the heartbeat tells a dead worker much sooner.
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/** Follows the changes of one batch downstream and tells everything that they concern. */
export async function propagateChanges(request: PropagationRequest): Promise<PropagationResult> {
  setCurrentDetails(`Following ${request.roots} changed entities downstream`);
  const result = await emitImpacts(request);
  setCurrentDetails(`${result.affected} affected entities, from ${result.roots} changes`);
  return result;
}
