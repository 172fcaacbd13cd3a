import { ApplicationFailure, setCurrentDetails } from '@temporalio/workflow';
import type { ErrorCode } from '#domain/errors.ts';
import { isJobFinal, type JobProgress, type JobReport, type JobState } from '#domain/transformation/job.ts';

/** What a job's workflow knows of its job, and the only thing that changes it. */
export class JobStateKeeper {
  #progress: JobProgress;
  #revision: number;
  #cancelRequested = false;

  constructor(resume: JobReport | undefined) {
    this.#progress = resume?.progress ?? { state: 'running', activity: 'Beginning', pages: 0, counts: {} };
    this.#revision = resume?.revision ?? 0;
    this.#show();
  }

  get progress(): JobProgress {
    return this.#progress;
  }

  get isPaused(): boolean {
    return this.#progress.state === 'paused';
  }

  get cancelRequested(): boolean {
    return this.#cancelRequested;
  }

  /** What to keep of the job at this moment; each report has a number of its own. */
  report(): JobReport {
    this.#revision += 1;
    return { progress: this.#progress, revision: this.#revision };
  }

  doing(activity: string): void {
    this.#change({ activity });
  }

  /** A page is done. */
  pageDone(counts: Record<string, number>): void {
    const total = { ...this.#progress.counts };
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
    this.#change({ counts: total, pages: this.#progress.pages + 1 });
  }

  /** @throws ApplicationFailure `conflict` unless the job is in this state; for validators, which must not wait. */
  mustBe(state: 'running' | 'paused'): void {
    this.mustNotHaveEnded();
    if (this.#progress.state !== state) throw conflict(`The job is ${this.#progress.state}, not ${state}.`);
  }

  /** @throws ApplicationFailure `conflict` when the job has ended or is about to */
  mustNotHaveEnded(): void {
    if (isJobFinal(this.#progress.state)) throw conflict(`The job is ${this.#progress.state}.`);
    if (this.#cancelRequested) throw conflict('The job is being cancelled.');
  }

  pause(): void {
    this.#change({ state: 'paused', activity: 'Paused' });
  }

  resume(): void {
    this.#change({ state: 'running', activity: 'Going on' });
  }

  cancel(): void {
    this.#cancelRequested = true;
    this.#change({ state: 'running', activity: 'Ending: the page under way is brought to its end' });
  }

  end(state: Exclude<JobState, 'running' | 'paused'>, reason?: string): void {
    this.#change({ state, activity: 'Ended', ...(reason === undefined ? {} : { reason }) });
  }

  #change(change: Partial<JobProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#show();
  }

  /** The Web UI shows this while the job goes on. */
  #show(): void {
    const { state, activity, pages, counts, reason } = this.#progress;
    const words = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
    setCurrentDetails([`**${state}** · ${activity}`, `${pages} pages`, words.join(' · '), reason ?? ''].join('\n\n'));
  }
}

function conflict(message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type: 'conflict' satisfies ErrorCode, nonRetryable: true });
}
