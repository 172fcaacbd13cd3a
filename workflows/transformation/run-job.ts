import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { JobProgress, JobReport, JobRequest } from '#domain/transformation/job.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { transformWorkflowId, type BatchCounts } from '#domain/transformation/batch.ts';
import { failureCode, failureReason } from '../ingestion/failures.ts';
import { cancelUpdate, pauseUpdate, progressQuery, resumeUpdate } from './job-messages.ts';
import { JobStateKeeper } from './job-state.ts';
import type { transformBatch } from './transform-batch.ts';

/** One page: what it came to, and where the next begins; undefined when there is none. */
export interface PageDone {
  counts: Record<string, number>;
  next: { cursor?: string } | undefined;
}

export interface JobPlan {
  save: (report: JobReport) => Promise<void>;
  /** Works on the n-th page, counted from 1. A page that has begun is brought to its end, whoever cancels. */
  page: (page: number, cursor: string | undefined) => Promise<PageDone>;
  /** Lets go of what a page that failed still holds. */
  letGo?: () => Promise<void>;
}

/** Goes through the pages of a job, one after the other: it can be watched, paused, resumed and cancelled between two. */
export async function runJob(request: JobRequest, { save, page, letGo }: JobPlan): Promise<JobProgress> {
  const state = new JobStateKeeper(request.resume);
  answerMessages(state, () => save(state.report()));
  let cursor = request.resume?.cursor;
  let failure: unknown;
  try {
    for (let pagesHere = 0; ; pagesHere += 1) {
      await condition(() => !state.isPaused || state.cancelRequested);
      if (state.cancelRequested) break;
      if (pagesHere > 0 && isTimeToContinue(request, pagesHere)) {
        await condition(allHandlersFinished);
        if (state.cancelRequested) break;
        const resume = { ...state.report(), ...(cursor === undefined ? {} : { cursor }) };
        await continueAsNew<(request: JobRequest) => Promise<unknown>>({ ...request, resume });
      }
      const number = state.progress.pages + 1;
      state.doing(`Working on page ${number}`);
      const done = await CancellationScope.nonCancellable(async () => {
        const result = await page(number, cursor);
        state.pageDone(result.counts);
        if (!state.isPaused) await save(state.report());
        return result;
      });
      if (CancellationScope.current().consideredCancelled) state.cancel();
      if (done.next === undefined) break;
      cursor = done.next.cursor;
    }
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    failure = error;
  }
  return CancellationScope.nonCancellable(async () => {
    if (failure === undefined) state.end(state.cancelRequested ? 'cancelled' : 'completed');
    else if (isCancellation(failure)) state.end('cancelled');
    else state.end('failed', failureReason(failure));
    if (failure !== undefined) await letGo?.();
    await save(state.report());
    await condition(allHandlersFinished);
    if (failure === undefined || isCancellation(failure)) return state.progress;
    throw ApplicationFailure.nonRetryable(failureReason(failure), failureCode(failure));
  });
}

/** Hands a landed batch to the pipeline and waits until it is applied everywhere. */
export async function applyBatch(
  { tenantId, jobId }: JobRequest,
  batchId: string,
  source: string,
): Promise<BatchCounts> {
  for (;;) {
    try {
      const child = await startChild<typeof transformBatch>('transformBatch', {
        args: [{ tenantId, batchId, source }],
        workflowId: transformWorkflowId(batchId),
        taskQueue: taskQueues.pipeline,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'transformBatch', source, subject: batchId }),
        staticSummary: `One page of ${source} ${jobId}`,
      });
      return await child.result();
    } catch (error) {
      // A job that was terminated has left it running. Once it has ended, running it again changes nothing.
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await sleep('1 second');
    }
  }
}

function isTimeToContinue({ pagesPerExecution = Number.POSITIVE_INFINITY }: JobRequest, pagesHere: number): boolean {
  return workflowInfo().continueAsNewSuggested || pagesHere >= pagesPerExecution;
}

function answerMessages(state: JobStateKeeper, save: () => Promise<void>): void {
  const changing = (change: () => void) => async (): Promise<JobProgress> => {
    change();
    await save();
    return state.progress;
  };
  setHandler(progressQuery, () => state.progress);
  setHandler(
    pauseUpdate,
    changing(() => state.pause()),
    { validator: () => state.mustBe('running') },
  );
  setHandler(
    resumeUpdate,
    changing(() => state.resume()),
    { validator: () => state.mustBe('paused') },
  );
  setHandler(
    cancelUpdate,
    changing(() => state.cancel()),
    { validator: () => state.mustNotHaveEnded() },
  );
}
