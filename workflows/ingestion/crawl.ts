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
  type IngestSourceRequest,
  type RunRef,
  type RunResumption,
} from '#domain/ingestion/run.ts';
import type { BatchWindow } from './batch-window.ts';
import { failureCode } from './failures.ts';
import type { RunProgressState } from './run-state.ts';

/** A source that changes while it is read is read this often; then what was read stands, and nothing is deleted. */
const passes = 2;

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
  #at: Omit<RunResumption, 'progress' | 'revision'>;
  #pagesHere = 0;

  constructor(request: IngestSourceRequest, state: RunProgressState, batches: BatchWindow) {
    this.#request = request;
    this.#run = runRefOf(request);
    this.#state = state;
    this.#batches = batches;
    const { pass = 1, pagesOfPass = 0, fingerprint, deletions } = request.resume ?? {};
    this.#at = { pass, pagesOfPass, ...(fingerprint && { fingerprint }), ...(deletions && { deletions }) };
  }

  async run(): Promise<CrawlOutcome> {
    if (this.#at.fingerprint === undefined) await this.#beginPass(1);
    while (this.#at.deletions === undefined) {
      await this.#readPages();
      this.#state.doing('Checking that the source did not change while it was read');
      const fingerprint = await this.#fingerprint();
      await this.#batches.drain();
      if (fingerprint === this.#at.fingerprint) await this.#landDeletions();
      else if (this.#at.pass < passes) await this.#beginPass(this.#at.pass + 1);
      else
        return {
          state: 'degraded',
          reason: `The source changed during each of ${passes} passes; nothing was deleted.`,
        };
    }
    await this.#applyDeletions();
    return { state: 'completed' };
  }

  async #beginPass(pass: number): Promise<void> {
    const fingerprint = await this.#fingerprint();
    this.#at = { pass, pagesOfPass: 0, fingerprint };
  }

  async #readPages(): Promise<void> {
    // A pass is over when it has read a page and there is no cursor to the next.
    while (this.#at.pagesOfPass === 0 || this.#state.progress.cursor !== undefined) {
      await this.#ready();
      const page = this.#at.pagesOfPass + 1;
      this.#state.doing(
        this.#at.pass === 1 ? `Reading page ${page}` : `Reading page ${page} again: the source has changed`,
      );
      const { cursor } = this.#state.progress;
      const landed = await this.#patiently(() =>
        sources.landPage({
          run: this.#run,
          pass: this.#at.pass,
          page,
          ...(cursor === undefined ? {} : { cursor }),
          report: this.#state.report(),
        }),
      );
      this.#at.pagesOfPass = page;
      this.#pagesHere += 1;
      this.#state.landed(landed.records, landed.nextCursor);
      if (landed.records > 0) await this.#batches.add(landed.batchId);
    }
  }

  async #landDeletions(): Promise<void> {
    await this.#ready();
    this.#state.doing('Looking for what is gone from the source');
    const { pages, records } = await this.#patiently(() =>
      slowSteps.landDeletions({ run: this.#run, pass: this.#at.pass }),
    );
    this.#state.deletionsLanded(records);
    this.#at = { ...this.#at, deletions: { pages, done: 0 } };
  }

  async #applyDeletions(): Promise<void> {
    const { tenantId, runId } = this.#request;
    const position = this.#at.deletions ?? { pages: 0, done: 0 };
    while (position.done < position.pages) {
      await this.#ready();
      this.#state.doing(`Marking as deleted what is gone: page ${position.done + 1} of ${position.pages}`);
      await this.#batches.add(runBatchId(tenantId, runId, deletionLabel(position.done)));
      position.done += 1;
      this.#pagesHere += 1;
    }
    await this.#batches.drain();
  }

  /** Waits while the run is paused; goes on in a new execution when this one's history has grown enough. */
  async #ready(): Promise<void> {
    const { pagesPerExecution = Number.POSITIVE_INFINITY } = this.#request;
    if (this.#pagesHere > 0 && (workflowInfo().continueAsNewSuggested || this.#pagesHere >= pagesPerExecution)) {
      await this.#batches.drain();
      await condition(allHandlersFinished);
      const resume: RunResumption = { ...this.#at, ...this.#state.report() };
      await continueAsNew<(request: IngestSourceRequest) => Promise<unknown>>({ ...this.#request, resume });
    }
    await condition(() => !this.#state.isPaused);
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
