import type { BatchCounts } from '../transformation/batch.ts';

export const runStates = [
  ...(['waiting', 'running', 'paused'] as const),
  ...(['completed', 'degraded', 'failed', 'cancelled', 'skipped'] as const),
] as const;

/**
 * `waiting`: a scheduled run that waits for its turn. `degraded`: everything that was read is applied, but the enumeration
 * was not proven complete, so nothing was deleted. `skipped`: a scheduled run that did not take place; it says why.
 */
export type RunState = (typeof runStates)[number];

export type FinalRunState = Exclude<RunState, 'waiting' | 'running' | 'paused'>;

export function isFinal(state: RunState): state is FinalRunState {
  return state !== 'waiting' && state !== 'running' && state !== 'paused';
}

/** States from which a run can go on where it stopped. */
export const retriableStates = ['failed', 'cancelled', 'degraded'] as const satisfies readonly RunState[];

/** What began a run: a request of somebody, or a schedule at its time, for a time that was missed, or when asked to. */
export const runTriggers = ['request', 'schedule', 'backfill', 'manual'] as const;
export type RunTrigger = (typeof runTriggers)[number];

/**
 * Types of source whose pages are applied one after the other: a later row of a file may speak of the same entity as an
 * earlier one, and the last one holds.
 */
export const typesInOrder: readonly string[] = ['file'];

/** Types of source that find faults of their own, as tests do; they are reported as incidents. */
export const typesWithFindings: readonly string[] = ['dbt'];

/** How far a source has been read, in a unit of its own: `done` of `total`. */
export interface SourceProgress {
  done: number;
  total: number;
}

/** How far a run is: the answer of the workflow's `progress` query, and what is kept of it. */
export interface RunProgress {
  state: RunState;
  /** `read` counts what was read from the source and landed; the others count what the pipeline made of it. */
  counts: BatchCounts;
  pages: number;
  /** Where the next page begins, as the source's cursor; absent when the source has been read to its end. */
  cursor?: string;
  /** How far the source has been read in this pass, where it can tell. */
  progress?: SourceProgress;
  /** What could not be read though it is there; a run with any ends as `degraded`. */
  incomplete?: string[];
  /** One sentence for people: what it is doing right now. */
  activity: string;
  /** Why it failed or is degraded. */
  reason?: string;
}

/** A page of which not everything could be read. */
export interface PageGap {
  page: number;
  /** Where the page begins; absent for the first. */
  cursor?: string;
  reasons: string[];
}

/** Everything that a run must know to go on, in a new execution or a later attempt, beside its progress. */
export interface RunPosition {
  /** Counts from 1; a source that changed while it was read is read once more. */
  pass: number;
  /** How many more passes this attempt may begin. */
  passesLeft: number;
  /** Pages of this pass that have landed. */
  pagesOfPass: number;
  /** The source's fingerprint when the pass began; absent before the first. */
  fingerprint?: string;
  /** Pages of this pass of which something could not be read, a few; `gapsBeyond` counts those that are not listed. */
  gaps: PageGap[];
  gapsBeyond: number;
  /** Present once deletions have landed: how many pages they are, and how many of them have been handed over. */
  deletions?: { pages: number; done: number };
  /** Batches that have landed and are not known to be applied. */
  unapplied: string[];
  /** A later attempt has not looked yet at what the one before left behind. */
  retried?: true;
}

/** A pass over a source that changed may be followed by this many others. */
const passesAfterTheFirst = 1;

export const firstPosition: RunPosition = {
  pass: 1,
  passesLeft: passesAfterTheFirst,
  pagesOfPass: 0,
  gaps: [],
  gapsBeyond: 0,
  unapplied: [],
};

/** Progress with its place in the order of all that was ever reported of the run: an older report never replaces a newer one. */
export interface RunReport {
  progress: RunProgress;
  revision: number;
  position: RunPosition;
}

/**
 * What the next attempt of a run begins with, from the last report of the one that ended: the same pages, cursor and counts.
 * @param before absent when the run ended before it was ever reported
 */
export function resumptionOf(progress: RunProgress, revision: number, before: RunPosition = firstPosition): RunReport {
  const { reason: _reason, ...rest } = progress;
  return {
    progress: { ...rest, state: 'running', activity: 'Going on where it stopped' },
    revision,
    position: { ...before, passesLeft: passesAfterTheFirst + 1, retried: true },
  };
}

/** Names a run for its activities. */
export interface RunRef {
  tenantId: string;
  runId: string;
  sourceId: string;
  sourceType: string;
  /** Who started the run. */
  actor: string;
}

export function runRefOf({ tenantId, runId, sourceId, sourceType, actor }: RunRef): RunRef {
  return { tenantId, runId, sourceId, sourceType, actor };
}

/** Input of the `ingestSource` workflow. What is secret about the source stays out of it, sealed in the run's document. */
export interface IngestSourceRequest extends RunRef {
  /** Pages after which the workflow continues as new; without it, when Temporal suggests so. */
  pagesPerExecution?: number;
  /** Counts from 1; 1 without it. */
  attempt?: number;
  /** Where to go on: carried through continue-as-new, and from attempt to attempt. */
  resume?: RunReport;
}

/** One page of a source, landed as a batch of raw records. */
export interface LandedPage {
  batchId: string;
  records: number;
  /** What of the page could not be read, a few reasons. */
  incomplete?: string[];
  progress?: SourceProgress;
  /** Absent after the last page. */
  nextCursor?: string;
}

/** Each attempt has a workflow of its own, so that starting it twice starts it once. */
export function runWorkflowId(tenantId: string, sourceId: string, runId: string, attempt = 1): string {
  return `ingest:${tenantId}:${sourceId}:${runId}${attempt === 1 ? '' : `:${attempt}`}`;
}

/** @param page a label made by {@link pageLabel} or {@link deletionLabel} */
export function runBatchId(tenantId: string, runId: string, page: string): string {
  return `${tenantId}:run:${runId}:${page}`;
}

/**
 * Labels a page. The batches of one pass share the beginning of their ids, so what a pass has seen can be asked for.
 * @param again the attempt that reads the page anew because not all of it could be read: its records are new ones
 */
export function pageLabel(pass: number, page: number, again?: number): string {
  return `${pass}:${page}${again === undefined ? '' : `~${again}`}`;
}

export function deletionLabel(pass: number, page: number): string {
  return `deleted:${pass}:${page}`;
}

export function isDeletionBatch(batchId: string): boolean {
  return /:deleted:\d+:\d+$/.test(batchId);
}
