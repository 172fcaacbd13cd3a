import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { StreamActivities } from '#activities/streams/index.ts';
import type { FollowTopicRequest, RoundReport } from '#domain/streams/topic.ts';
import { taskQueues } from '#domain/task-queues.ts';

/** Somebody changed the integration: paused it, resumed it, gave it another mapping, removed it. Its document says what. */
export const changedSignal = defineSignal('changed');

/**
 * A round lasts ten minutes, and is tried again for as long as it takes: nobody but the tenant can mend an address or a
 * password, and when that is done the topic goes on by itself. A worker that died is noticed after ten seconds.
 */
const streams = proxyActivities<StreamActivities>({
  taskQueue: taskQueues.streams,
  startToCloseTimeout: '15 minutes',
  heartbeatTimeout: '10 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/** How often a paused topic is looked at, should the signal of its resumption be lost. */
const pausedLook = '30 minutes';

/**
 * Follows a Kafka topic of a tenant's for as long as it is registered, round after round. What was read, and where, is in
 * MongoDB; so is what people want of it. Hence nothing is carried from one execution to the next.
 */
export async function followTopic(request: FollowTopicRequest): Promise<void> {
  let changed = false;
  let round: CancellationScope | undefined;
  setHandler(changedSignal, () => {
    changed = true;
    round?.cancel();
  });

  for (let rounds = 0; !shouldContinueAsNew(request, rounds); rounds += 1) {
    changed = false;
    const report = await pump(request, (scope) => (round = scope));
    setCurrentDetails(words(request, report));
    if (report?.end === 'gone') return;
    if (report?.end === 'paused') await condition(() => changed, pausedLook);
  }
  await condition(allHandlersFinished);
  await continueAsNew<typeof followTopic>(request);
}

/** Undefined when the round was broken off because of a change. */
async function pump(
  request: FollowTopicRequest,
  onStart: (scope: CancellationScope) => void,
): Promise<RoundReport | undefined> {
  const scope = new CancellationScope();
  onStart(scope);
  try {
    return await scope.run(() => streams.pumpTopic(request));
  } catch (error) {
    // Cancelled by the signal, and not because the workflow itself is to end.
    if (isCancellation(error) && !CancellationScope.current().consideredCancelled) return undefined;
    throw error;
  }
}

function shouldContinueAsNew({ roundsPerExecution = Number.POSITIVE_INFINITY }: FollowTopicRequest, rounds: number) {
  return rounds > 0 && (workflowInfo().continueAsNewSuggested || rounds >= roundsPerExecution);
}

function words({ name }: FollowTopicRequest, report: RoundReport | undefined): string {
  if (report === undefined || report.end === 'changed') return `Following ${name}: something about it changed`;
  if (report.end === 'paused') return `**Paused**: ${name} is read no further until somebody resumes it`;
  return `Following ${name}: ${report.messages} messages in the last round`;
}
