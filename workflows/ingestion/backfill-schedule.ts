import {
  continueAsNew,
  executeChild,
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { ChildWorkflowFailure } from '@temporalio/common';
import { fireWorkflowId, scheduleActor, type BackfillRequest } from '#domain/ingestion/schedule.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fireSchedule } from './fire-schedule.ts';

/** Children of one execution: each is some twenty events of its history. */
const timesPerExecution = 100;

/**
 * Makes up for times of a schedule that had no run, one after the other, the earliest first. A time that gets a run in
 * another way meanwhile is left alone. Answers how many times it dealt with.
 */
export async function backfillSchedule(request: BackfillRequest): Promise<number> {
  const { tenantId, scheduleId, savedSourceId, backfillId, times } = request;
  const begun = request.done ?? 0;
  for (let done = begun; done < times.length; done += 1) {
    if (done - begun >= timesPerExecution || (done > begun && workflowInfo().continueAsNewSuggested)) {
      await continueAsNew<typeof backfillSchedule>({ ...request, done });
    }
    const scheduledFor = times[done] ?? '';
    setCurrentDetails(`${done} of ${times.length} times; now the one of ${scheduledFor}`);
    try {
      await executeChild(fireSchedule, {
        workflowId: `${fireWorkflowId(tenantId, savedSourceId, scheduleId)}:${backfillId}-${scheduledFor}`,
        args: [{ tenantId, scheduleId, made: { trigger: 'backfill', scheduledFor, actor: scheduleActor(scheduleId) } }],
        taskQueue: taskQueues.ingestion,
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        typedSearchAttributes: typedLabels({
          tenant: tenantId,
          job: 'fireSchedule',
          source: savedSourceId,
          subject: scheduleId,
        }),
        staticSummary: `Makes up for ${scheduledFor}`,
      });
    } catch (error) {
      if (!(error instanceof ChildWorkflowFailure) || isCancellation(error)) throw error;
      log.warn('a time could not be made up for', { scheduledFor });
    }
  }
  setCurrentDetails(`${times.length} of ${times.length} times`);
  return times.length;
}
