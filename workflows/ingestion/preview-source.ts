import {
  CancellationScope,
  continueAsNew,
  ContinueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { DryRunActivities } from '#activities/ingestion/dry-run.ts';
import type { DryRunRef, PreviewRequest, PreviewedPage } from '#domain/ingestion/dry-run.ts';
import { failureReason } from './failures.ts';

/** As patient as a run's own steps are: what a dry run says is of use only if a run could do it. */
const steps = proxyActivities<DryRunActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 12 },
});

/** Retried for as long as it takes: otherwise it would be shown as running for ever. */
const documents = proxyActivities<DryRunActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

const undecided = 'Something of the source could not be read, so a run would delete nothing.';

/** Reads a source page by page and notes what a run would do with it. Writes none of it. */
export async function previewSource(request: PreviewRequest): Promise<void> {
  const { resume, ...dryRun } = request;
  try {
    if (resume === undefined) await steps.openForPreview(dryRun);
    const complete = await previewPages(dryRun, resume);
    if (complete) await steps.previewDeletions(dryRun);
    await documents.endDryRun(dryRun, { state: 'completed', ...(complete ? {} : { reason: undecided }) });
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    const change = isCancellation(error)
      ? ({ state: 'cancelled' } as const)
      : ({ state: 'failed', reason: failureReason(error) } as const);
    await CancellationScope.nonCancellable(() => documents.endDryRun(dryRun, change));
    if (isCancellation(error)) throw error;
  }
}

/** Answers whether all that there is could be read. */
async function previewPages(dryRun: DryRunRef, resume: PreviewRequest['resume']): Promise<boolean> {
  let { page, cursor, incomplete }: { page: number; cursor?: string | undefined; incomplete: boolean } = resume ?? {
    page: 0,
    incomplete: false,
  };
  for (;;) {
    page += 1;
    const read = await steps.previewPage({ dryRun, page, ...(cursor === undefined ? {} : { cursor }) });
    incomplete ||= read.incomplete === true;
    show(page, read);
    if (read.nextCursor === undefined) return !incomplete;
    cursor = read.nextCursor;
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof previewSource>({ ...dryRun, resume: { page, cursor, incomplete } });
    }
  }
}

function show(page: number, { progress }: PreviewedPage): void {
  const share = progress === undefined ? '' : ` · ${Math.floor((progress.done / Math.max(progress.total, 1)) * 100)} %`;
  setCurrentDetails(`Page ${page} previewed${share}`);
}
