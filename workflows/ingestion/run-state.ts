import { ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { ErrorCode } from '#domain/errors.ts';
import { isFinal, type RunProgress, type RunReport, type RunResumption, type RunState } from '#domain/ingestion/run.ts';
import { addCounts, noCounts, type BatchCounts } from '#domain/transformation/batch.ts';

/** What an `ingestSource` workflow knows of its run, and the only thing that changes it. */
export class RunProgressState {
  #progress: RunProgress;
  #revision: number;
  #cancelRequested = false;
  #onCancel: () => void = () => undefined;

  constructor(resume: RunResumption | undefined) {
    this.#progress = resume?.progress ?? {
      state: 'running',
      counts: noCounts,
      pages: 0,
      activity: 'Signing in to the source',
    };
    this.#revision = resume?.revision ?? 0;
    this.#show();
  }

  get progress(): RunProgress {
    return this.#progress;
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
    return { progress: this.#progress, revision: this.#revision };
  }

  doing(activity: string): void {
    this.#change({ activity });
  }

  landed(records: number, nextCursor: string | undefined): void {
    const { cursor: _read, ...rest } = this.#progress;
    const counts = addCounts(rest.counts, { ...noCounts, read: records });
    const cursor = nextCursor === undefined ? {} : { cursor: nextCursor };
    this.#progress = { ...rest, counts, pages: rest.pages + 1, ...cursor };
    this.#show();
  }

  /** Deletions were landed: they count as read too, so that the sum of the other counts stays the number read. */
  deletionsLanded(records: number): void {
    this.#change({ counts: addCounts(this.#progress.counts, { ...noCounts, read: records }) });
  }

  applied(counts: BatchCounts): void {
    this.#change({ counts: addCounts(this.#progress.counts, { ...counts, read: 0 }) });
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

  end(state: Exclude<RunState, 'running' | 'paused'>, reason?: string): void {
    this.#change({ state, activity: 'Ended', ...(reason === undefined ? {} : { reason }) });
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
