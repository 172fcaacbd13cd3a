import { ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { ErrorCode } from '#domain/errors.ts';
import {
  firstPosition,
  isDeletionBatch,
  isFinal,
  type FinalRunState,
  type LandedPage,
  type PageGap,
  type RunPosition,
  type RunProgress,
  type RunReport,
} from '#domain/ingestion/run.ts';
import { limits } from '#domain/limits.ts';
import { addCounts, noCounts, type BatchCounts } from '#domain/transformation/batch.ts';

/** What an `ingestSource` workflow knows of its run, and the only thing that changes it. */
export class RunProgressState {
  #progress: RunProgress;
  #position: RunPosition;
  #revision: number;
  #cancelRequested = false;
  #onCancel: () => void = () => undefined;

  constructor(resume: RunReport | undefined) {
    this.#progress = resume?.progress ?? {
      state: 'running',
      counts: noCounts,
      pages: 0,
      activity: 'Signing in to the source',
    };
    this.#position = resume?.position ?? firstPosition;
    this.#revision = resume?.revision ?? 0;
    this.#show();
  }

  get progress(): RunProgress {
    return this.#progress;
  }

  get position(): RunPosition {
    return this.#position;
  }

  get isPaused(): boolean {
    return this.#progress.state === 'paused';
  }

  get cancelRequested(): boolean {
    return this.#cancelRequested;
  }

  /** What to keep of the run at this moment; each report has a number of its own. */
  report(): RunReport {
    this.#revision += 1;
    return { progress: this.#progress, revision: this.#revision, position: this.#position };
  }

  doing(activity: string): void {
    this.#change({ activity });
  }

  /** A pass begins: whatever could not be read in the one before is of no interest any more. */
  beginPass(pass: number, fingerprint: string): void {
    const { passesLeft, unapplied } = this.#position;
    const used = pass === this.#position.pass ? 0 : 1;
    this.#position = { ...firstPosition, pass, passesLeft: passesLeft - used, fingerprint, unapplied };
    const { incomplete: _incomplete, cursor: _cursor, progress: _share, ...rest } = this.#progress;
    this.#progress = rest;
    this.#show();
  }

  /** The next page of the pass has landed. */
  landed(page: LandedPage): void {
    const { cursor: begins, progress: _before, ...rest } = this.#progress;
    this.#read(page.records, {
      ...rest,
      pages: rest.pages + 1,
      ...(page.progress === undefined ? {} : { progress: page.progress }),
      ...(page.nextCursor === undefined ? {} : { cursor: page.nextCursor }),
    });
    const number = this.#position.pagesOfPass + 1;
    this.#position = { ...this.#position, pagesOfPass: number };
    if (page.records > 0) this.#awaits(page.batchId);
    this.#noteGap(number, begins, page.incomplete);
  }

  /** A page of which something could not be read has been read anew. */
  landedAgain({ page, cursor }: PageGap, { batchId, records, incomplete }: LandedPage): void {
    const gaps = this.#position.gaps.filter((gap) => gap.page !== page);
    this.#position = { ...this.#position, gaps };
    this.#read(records, this.#progress);
    if (records > 0) this.#awaits(batchId);
    this.#noteGap(page, cursor, incomplete);
  }

  deletionsLanded(pages: number): void {
    this.#position = { ...this.#position, deletions: { pages, done: 0 } };
  }

  /** What the attempt before left behind has been looked at. */
  takenUp(): void {
    const { retried: _retried, ...position } = this.#position;
    this.#position = position;
  }

  /**
   * The batch is about to be applied. A page's is noted when it has landed; one of deletions not before it begins, because
   * one that has not begun is not to be applied any more when the source has changed.
   */
  started(batchId: string): void {
    const { deletions } = this.#position;
    if (deletions === undefined || this.#position.unapplied.includes(batchId)) return;
    this.#position = { ...this.#position, deletions: { ...deletions, done: deletions.done + 1 } };
    this.#awaits(batchId);
  }

  /** The batch has been applied. A deletion counts as read as well, so that the other counts sum up to the number read. */
  applied(batchId: string, counts: BatchCounts): void {
    const unapplied = this.#position.unapplied.filter((other) => other !== batchId);
    this.#position = { ...this.#position, unapplied };
    const read = isDeletionBatch(batchId) ? counts.read : 0;
    this.#change({ counts: addCounts(this.#progress.counts, { ...counts, read }) });
  }

  /** @throws ApplicationFailure `conflict` unless the run is in this state; for validators, which must not wait. */
  mustBe(state: 'running' | 'paused'): void {
    this.mustNotHaveEnded();
    if (this.#progress.state !== state) throw conflict(`The run is ${this.#progress.state}, not ${state}.`);
  }

  /** @throws ApplicationFailure `conflict` when the run has ended or is about to */
  mustNotHaveEnded(): void {
    if (isFinal(this.#progress.state)) throw conflict(`The run is ${this.#progress.state}.`);
    if (this.#cancelRequested) throw conflict('The run is being cancelled.');
  }

  pause(): void {
    this.#change({ state: 'paused', activity: 'Paused' });
  }

  resume(): void {
    this.#change({ state: 'running', activity: 'Going on' });
  }

  /** Ends what is being read. The state becomes final when the batches under way have been applied. */
  cancel(): void {
    this.#cancelRequested = true;
    this.#change({ state: 'running', activity: 'Ending: batches that have landed are being applied' });
    this.#onCancel();
  }

  /** What to do when the run is cancelled; done at once if it has been. */
  whenCancelled(react: () => void): void {
    this.#onCancel = react;
    if (this.#cancelRequested) react();
  }

  end(state: FinalRunState, reason?: string): void {
    this.#change({ state, activity: 'Ended', ...(reason === undefined ? {} : { reason }) });
  }

  #awaits(batchId: string): void {
    this.#position = { ...this.#position, unapplied: [...this.#position.unapplied, batchId] };
  }

  #read(records: number, progress: RunProgress): void {
    this.#progress = { ...progress, counts: addCounts(progress.counts, { ...noCounts, read: records }) };
    this.#show();
  }

  #noteGap(page: number, cursor: string | undefined, reasons: string[] = []): void {
    const { gaps, gapsBeyond } = this.#position;
    if (reasons.length > 0) {
      const gap = { page, ...(cursor === undefined ? {} : { cursor }), reasons };
      const full = gaps.length >= limits.incompleteReasons;
      const more = full ? { gapsBeyond: gapsBeyond + 1 } : { gaps: [...gaps, gap] };
      this.#position = { ...this.#position, ...more };
    }
    const { incomplete: _incomplete, ...rest } = this.#progress;
    const known = this.#position.gaps.flatMap((gap) => gap.reasons).slice(0, limits.incompleteReasons);
    this.#progress = { ...rest, ...(known.length === 0 ? {} : { incomplete: known }) };
  }

  #change(change: Partial<RunProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#show();
  }

  /** The Web UI shows this while the run goes on. */
  #show(): void {
    const { state, activity, pages, counts, reason } = this.#progress;
    const lines = [
      `**${state}** · ${activity}`,
      `${pages} pages, ${counts.read} entities read`,
      `${counts.created} created · ${counts.updated} updated · ${counts.deleted} deleted · ${counts.unchanged} unchanged · ${counts.rejected} rejected`,
    ];
    if (reason !== undefined) lines.push(reason);
    setCurrentDetails(lines.join('\n\n'));
  }
}

function conflict(message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type: 'conflict' satisfies ErrorCode, nonRetryable: true });
}
