import type { BatchCounts } from '../transformation/batch.ts';

export const runStates = ['running', 'paused', 'completed', 'degraded', 'failed', 'cancelled'] as const;

/** `degraded`: everything that was read is applied, but the enumeration was not proven complete, so nothing was deleted. */
export type RunState = (typeof runStates)[number];

export function isFinal(state: RunState): boolean {
  return state !== 'running' && state !== 'paused';
}

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
  /** One sentence for people: what it is doing right now. */
  activity: string;
  /** Why it failed or is degraded. */
  reason?: string;
}

/** Progress with its place in the order of all that was ever reported of the run: an older report never replaces a newer one. */
export interface RunReport {
  progress: RunProgress;
  revision: number;
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
  /** Carried through continue-as-new. */
  resume?: RunResumption;
}

/** Everything that a run knows, to go on in a new execution. */
export interface RunResumption extends RunReport {
  /** Counts from 1; a source that changed while it was read is read once more. */
  pass: number;
  /** Pages of this pass that have landed. */
  pagesOfPass: number;
  /** The source's fingerprint when the pass began; absent before the first. */
  fingerprint?: string;
  /** Present once deletions have landed: how many pages they are, and how many of them have been applied. */
  deletions?: { pages: number; done: number };
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

export function runWorkflowId(tenantId: string, sourceId: string, runId: string): string {
  return `ingest:${tenantId}:${sourceId}:${runId}`;
}

/** @param page a label made by {@link pageLabel} or {@link deletionLabel} */
export function runBatchId(tenantId: string, runId: string, page: string): string {
  return `${tenantId}:run:${runId}:${page}`;
}

/** Labels a page. The batches of one pass share the beginning of their ids, so what a pass has seen can be asked for. */
export function pageLabel(pass: number, page: number): string {
  return `${pass}:${page}`;
}

export function deletionLabel(page: number): string {
  return `deleted:${page}`;
}
