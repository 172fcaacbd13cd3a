import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  isCancellation,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { IngestionActivities } from '#activities/ingestion/index.ts';
import { runRefOf, type IngestSourceRequest, type RunProgress } from '#domain/ingestion/run.ts';
import { BatchWindow } from './batch-window.ts';
import { Crawl } from './crawl.ts';
import { failureCode, failureReason } from './failures.ts';
import { cancelUpdate, pauseUpdate, progressQuery, resumeUpdate } from './messages.ts';
import { RunProgressState } from './run-state.ts';

/** Retried for as long as it takes: a run that never ends in its document would hold its source for ever. */
const documents = proxyActivities<IngestionActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/**
 * One run of a source: reads it page by page, hands each landed page to `transformBatch`, and deletes what is gone when the
 * enumeration has proven complete. It can be watched, paused, resumed and cancelled.
 */
export async function ingestSource(request: IngestSourceRequest): Promise<RunProgress> {
  const state = new RunProgressState(request.resume);
  const save = (): Promise<void> => documents.saveProgress(runRefOf(request), state.report());
  answerMessages(state, save);
  const batches = new BatchWindow(runRefOf(request), state);

  let failure: unknown;
  try {
    const outcome = await CancellationScope.cancellable(() => {
      const scope = CancellationScope.current();
      state.whenCancelled(() => scope.cancel());
      return new Crawl(request, state, batches).run();
    });
    state.end(outcome.state, 'reason' in outcome ? outcome.reason : undefined);
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    failure = error;
  }

  await CancellationScope.nonCancellable(async () => {
    if (failure !== undefined) {
      await batches.drain().catch(() => undefined);
      if (isCancellation(failure)) state.end('cancelled');
      else state.end('failed', failureReason(failure));
    }
    await save();
    await condition(allHandlersFinished);
  });
  if (failure === undefined || state.cancelRequested) return state.progress;
  if (isCancellation(failure)) throw failure;
  throw ApplicationFailure.nonRetryable(failureReason(failure), failureCode(failure));
}

/** Validators refuse at once what makes no sense now; a refused update leaves no trace in the history. */
function answerMessages(state: RunProgressState, save: () => Promise<void>): void {
  const changing = (change: () => void) => async (): Promise<RunProgress> => {
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
