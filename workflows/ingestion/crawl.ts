import {
  allHandlersFinished,
  condition,
  continueAsNew,
  proxyActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { IngestionActivities } from '#activities/ingestion/index.ts';
import {
  deletionLabel,
  runBatchId,
  runRefOf,
  typesWithFindings,
  type IngestSourceRequest,
  type RunRef,
  type LandedPage,
} from '#domain/ingestion/run.ts';
import { limits } from '#domain/limits.ts';
import type { BatchWindow } from './batch-window.ts';
import { failureCode } from './failures.ts';
import type { RunProgressState } from './run-state.ts';

/**
 * Reading a source. Each attempt has statement timeouts of its own, far below `startToCloseTimeout`; a worker that died is noticed
 * by its missing heartbeat. Twelve attempts take about four minutes: longer than a database takes to restart or fail over,
 * short enough that somebody who gave a wrong port hears of it.
 */
const sources = proxyActivities<IngestionActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 12 },
});

/** Reads as many ids as the source has entities, so it may take long; MongoDB is its only counterpart. */
const slowSteps = proxyActivities<IngestionActivities>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds', maximumAttempts: 12 },
});

export type CrawlOutcome = { state: 'completed' } | { state: 'degraded'; reason: string };

/** One crawl: pass after pass over the pages of the source, then the deletions that a complete pass allows. */
export class Crawl {
  readonly #request: IngestSourceRequest;
  readonly #run: RunRef;
  readonly #state: RunProgressState;
  readonly #batches: BatchWindow;
  #pagesHere = 0;

  constructor(request: IngestSourceRequest, state: RunProgressState, batches: BatchWindow) {
    this.#request = request;
    this.#run = runRefOf(request);
    this.#state = state;
    this.#batches = batches;
  }

  async run(): Promise<CrawlOutcome> {
    if (this.#state.position.retried === true) await this.#takeUp();
    if (this.#state.position.fingerprint === undefined) await this.#beginPass(this.#state.position.pass);
    while (this.#state.position.deletions === undefined) {
      await this.#readPages();
      this.#state.doing('Checking that the source did not change while it was read');
      const fingerprint = await this.#fingerprint();
      await this.#batches.drain();
      const { fingerprint: before, pass, passesLeft, gaps, gapsBeyond } = this.#state.position;
      if (fingerprint !== before) {
        if (passesLeft === 0) return degraded('The source changed each time that it was read; nothing was deleted.');
        this.#state.beginPass(pass + 1, fingerprint);
        continue;
      }
      if (typesWithFindings.includes(this.#request.sourceType)) await this.#reportFindings();
      if (gaps.length > 0) {
        return degraded(
          incompleteReason(
            gaps.flatMap(({ reasons }) => reasons),
            gapsBeyond,
          ),
        );
      } else await this.#landDeletions();
    }
    await this.#applyDeletions();
    return { state: 'completed' };
  }

  /**
   * Goes on where an earlier attempt stopped. Batches that it had landed are applied to their end. Deletions that it had found
   * still hold if the source has not changed since; pages that it could not read as a whole are read anew.
   */
  async #takeUp(): Promise<void> {
    for (const batchId of this.#state.position.unapplied) await this.#batches.add(batchId);
    const { deletions, gaps, gapsBeyond, pass, fingerprint } = this.#state.position;
    if (deletions !== undefined || gapsBeyond > 0) {
      this.#state.doing('Checking whether the source has changed since the run stopped');
      const now = await this.#fingerprint();
      if (now !== fingerprint || gapsBeyond > 0) this.#state.beginPass(pass + 1, now);
    } else {
      for (const gap of gaps) {
        await this.#unpaused();
        this.#state.doing(`Reading page ${gap.page} again: not all of it could be read`);
        const landed = await this.#landPage(gap.page, gap.cursor, this.#request.attempt ?? 1);
        this.#state.landedAgain(gap, landed);
        if (landed.records > 0) await this.#batches.add(landed.batchId);
      }
    }
    this.#state.takenUp();
  }

  async #beginPass(pass: number): Promise<void> {
    this.#state.beginPass(pass, await this.#fingerprint());
  }

  async #readPages(): Promise<void> {
    // A pass is over when it has read a page and there is no cursor to the next.
    while (this.#state.position.pagesOfPass === 0 || this.#state.progress.cursor !== undefined) {
      await this.#ready();
      const { pass, pagesOfPass } = this.#state.position;
      const page = pagesOfPass + 1;
      this.#state.doing(pass === 1 ? `Reading page ${page}` : `Reading page ${page} again: the source has changed`);
      const landed = await this.#landPage(page, this.#state.progress.cursor);
      this.#pagesHere += 1;
      this.#state.landed(landed);
      if (landed.records > 0) await this.#batches.add(landed.batchId);
    }
  }

  #landPage(page: number, cursor: string | undefined, again?: number): Promise<LandedPage> {
    return this.#patiently(() =>
      sources.landPage({
        run: this.#run,
        pass: this.#state.position.pass,
        page,
        ...(again === undefined ? {} : { again }),
        ...(cursor === undefined ? {} : { cursor }),
        report: this.#state.report(),
      }),
    );
  }

  async #reportFindings(): Promise<void> {
    this.#state.doing('Reporting what the source found wrong');
    await this.#patiently(() => slowSteps.reportFindings(this.#run));
  }

  async #landDeletions(): Promise<void> {
    await this.#ready();
    this.#state.doing('Looking for what is gone from the source');
    const { pages } = await this.#patiently(() =>
      slowSteps.landDeletions({ run: this.#run, pass: this.#state.position.pass }),
    );
    this.#state.deletionsLanded(pages);
  }

  async #applyDeletions(): Promise<void> {
    const { tenantId, runId } = this.#request;
    for (;;) {
      const { deletions: { pages, done } = { pages: 0, done: 0 }, pass } = this.#state.position;
      if (done >= pages) break;
      await this.#ready();
      this.#state.doing(`Marking as deleted what is gone: page ${done + 1} of ${pages}`);
      this.#pagesHere += 1;
      await this.#batches.add(runBatchId(tenantId, runId, deletionLabel(pass, done)));
    }
    await this.#batches.drain();
  }

  /** Waits while the run is paused; goes on in a new execution when this one's history has grown enough. */
  async #ready(): Promise<void> {
    const { pagesPerExecution = Number.POSITIVE_INFINITY } = this.#request;
    if (this.#pagesHere > 0 && (workflowInfo().continueAsNewSuggested || this.#pagesHere >= pagesPerExecution)) {
      await this.#batches.drain();
      await condition(allHandlersFinished);
      const resume = this.#state.report();
      await continueAsNew<(request: IngestSourceRequest) => Promise<unknown>>({ ...this.#request, resume });
    }
    await this.#unpaused();
  }

  #unpaused(): Promise<void> {
    return condition(() => !this.#state.isPaused);
  }

  async #fingerprint(): Promise<string> {
    return this.#patiently(() => sources.fingerprintSource(this.#run));
  }

  /** A failure of the source ends the run; one of Lily's own servers is waited out, because nobody could mend it by a new run. */
  async #patiently<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (failureCode(error) !== 'unavailable') throw error;
        await sleep('10 seconds');
      }
    }
  }
}

function degraded(reason: string): CrawlOutcome {
  return { state: 'degraded', reason };
}

function incompleteReason(reasons: readonly string[], pagesBeyond: number): string {
  const [first = ''] = reasons;
  const more = reasons.length - 1 + pagesBeyond;
  const others = more === 0 ? '' : ` (and at least ${more} more)`;
  return `Not everything could be read, so nothing was deleted. ${first}${others}`.slice(0, limits.reasonLength);
}
