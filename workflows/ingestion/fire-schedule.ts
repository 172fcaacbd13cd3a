import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { ApplicationFailure, ChildWorkflowFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { ScheduledRunActivities } from '#activities/ingestion/scheduled-runs.ts';
import type { ErrorCode } from '#domain/errors.ts';
import { runWorkflowId, type RunProgress } from '#domain/ingestion/run.ts';
import {
  onOverlap,
  type FireScheduleRequest,
  type FireScheduleResult,
  type ScheduledRun,
  type Turn,
} from '#domain/ingestion/schedule.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { ingestSource } from './ingest-source.ts';
import { cancelUpdate } from './messages.ts';

/** Retried for as long as it takes: a time of the schedule must not pass without a trace because a store was away. */
const steps = proxyActivities<ScheduledRunActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/** Executions that began before this asked a run once only. */
const askAgain = 'ask a run again that could not be cancelled';

const firstLookMs = 500;
const longestLookMs = 10_000;
/** After so many looks, about half an hour, the workflow goes on in a new execution: each look is some ten events. */
const looksPerExecution = 200;

/**
 * One time of a schedule: makes its run, waits for its turn as the schedule's policy has it, and sees the run to its end.
 * Whatever comes of it is in the run's document, also when nothing is read.
 */
export async function fireSchedule(request: FireScheduleRequest): Promise<FireScheduleResult> {
  const fired = new Fired();
  const scheduled = request.waiting ?? (await announced(request));
  if ('nothing' in scheduled) return { outcome: scheduled.nothing };
  const { runId } = scheduled.ref;
  try {
    if (request.waiting === undefined) await fired.putOff(scheduled);
    const skipped = await fired.untilItsTurn(scheduled, { ...request, waiting: scheduled });
    if (skipped !== undefined) return { runId, outcome: skipped };
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() =>
        steps.endWaitingRun(scheduled, 'cancelled', 'Cancelled as it waited.'),
      );
    }
    throw error;
  }
  return { runId, outcome: await fired.seeToItsEnd(scheduled) };
}

async function announced({
  tenantId,
  scheduleId,
  made,
}: FireScheduleRequest): Promise<ScheduledRun | { nothing: string }> {
  const { workflowId, startTime, typedSearchAttributes } = workflowInfo();
  // Temporal says with the workflow for which time of the schedule it started it.
  const nominal = typedSearchAttributes.get(defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME'));
  const announcement = await steps.announceRun({
    tenantId,
    scheduleId,
    workflowId,
    trigger: made?.trigger ?? 'schedule',
    scheduledFor: made?.scheduledFor ?? (nominal ?? startTime).toISOString(),
    ...(made === undefined ? {} : { actor: made.actor }),
    ...(made?.runId === undefined ? {} : { runId: made.runId }),
  });
  return 'nothing' in announcement ? announcement : announcement.run;
}

/** A run on its way from the schedule to the source. */
class Fired {
  /** How its waiting ended. */
  #over: 'turn' | 'skipped' | 'cancelled' | undefined;
  #cancelWanted = false;

  constructor() {
    setHandler(
      cancelUpdate,
      async (): Promise<RunProgress> => {
        this.#cancelWanted = true;
        await condition(() => this.#over !== undefined);
        const state = this.#over === 'cancelled' ? 'cancelled' : 'running';
        return { state, counts: noCounts, pages: 0, activity: state === 'running' ? 'Ending' : 'Ended' };
      },
      {
        validator: () => {
          if (this.#over === undefined && !this.#cancelWanted) return;
          const type: ErrorCode = 'conflict';
          throw ApplicationFailure.create({ message: 'The run waits no more.', type, nonRetryable: true });
        },
      },
    );
  }

  /** Lets a random part of the schedule's jitter pass. */
  async putOff({ jitterMs }: ScheduledRun): Promise<void> {
    const delayMs = Math.floor(Math.random() * jitterMs);
    if (delayMs === 0) return;
    setCurrentDetails(`Put off by ${Math.ceil(delayMs / 1_000)} seconds, so that not everything starts at once`);
    await condition(() => this.#cancelWanted, delayMs);
  }

  /** Returns when the run has the source; a text when it does not take place, and why. */
  async untilItsTurn(scheduled: ScheduledRun, resumption: FireScheduleRequest): Promise<string | undefined> {
    const cancelled = new Set<string>();
    for (let looks = 1, lookMs = firstLookMs; ; looks += 1, lookMs = Math.min(lookMs * 2, longestLookMs)) {
      if (this.#cancelWanted) return this.#end(scheduled, 'cancelled', 'Cancelled as it waited.');
      const turn = await steps.takeTurn(scheduled);
      if (turn.outcome === 'turn') {
        this.#over = 'turn';
        return undefined;
      }
      if (turn.outcome === 'ended') {
        this.#over = 'skipped';
        return 'ended';
      }
      const reaction = onOverlap(scheduled.overlap, turn);
      if (reaction === 'skip') return this.#end(scheduled, 'skipped', skipReason(turn));
      if (reaction === 'cancel_other' && turn.outcome === 'held' && !cancelled.has(turn.holderRunId)) {
        // One that has just got the source may not have begun, and must be asked again.
        const asked = await cancelRun(turn.holderWorkflowId);
        if (asked || !patched(askAgain)) cancelled.add(turn.holderRunId);
      }
      setCurrentDetails(`Waiting for its turn (${turn.outcome})`);
      await condition(() => this.#cancelWanted, lookMs);
      if (looks >= looksPerExecution && !this.#cancelWanted) {
        await continueAsNew<typeof fireSchedule>(resumption);
      }
    }
  }

  /** Runs it, and says how it ended. A run that fails is no failure of the schedule. */
  async seeToItsEnd({ ref }: ScheduledRun): Promise<string> {
    const { tenantId, sourceId, sourceType, runId, actor } = ref;
    setCurrentDetails(`The run ${runId} reads ${sourceId}`);
    const child = await startChild(ingestSource, {
      args: [ref],
      workflowId: runWorkflowId(tenantId, sourceId, runId),
      taskQueue: taskQueues.ingestion,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'ingestSource', source: sourceType, subject: runId }),
      staticSummary: `Reads ${sourceId}`,
      staticDetails: `Run ${runId} of tenant ${tenantId}, started by ${actor}`,
    });
    // Whoever cancelled as it waited meant the run.
    if (this.#cancelWanted) await cancelRun(child.workflowId);
    try {
      return (await child.result()).state;
    } catch (error) {
      if (!(error instanceof ChildWorkflowFailure)) throw error;
      return isCancellation(error) ? 'cancelled' : 'failed';
    }
  }

  async #end(scheduled: ScheduledRun, state: 'skipped' | 'cancelled', reason: string): Promise<string> {
    await steps.endWaitingRun(scheduled, state, reason);
    this.#over = state;
    await condition(allHandlersFinished);
    return `${state}: ${reason}`;
  }
}

function skipReason(turn: Turn): string {
  if (turn.outcome === 'held') return `The run ${turn.holderRunId} was reading the source.`;
  if (turn.outcome === 'queued') return `The run ${turn.behindRunId} was waiting for the source already.`;
  return 'Its turn did not come.';
}

/** Asks a run to end; false when it cannot be asked, because it has just ended or has not begun. */
async function cancelRun(workflowId: string): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).cancel();
    return true;
  } catch (error) {
    log.info('the run could not be cancelled', { workflowId, error: String(error) });
    return false;
  }
}
