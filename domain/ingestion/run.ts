import type { BatchCounts } from '../transformation/batch.ts';

export const runStates = ['running', 'paused', 'completed', 'degraded', 'failed', 'cancelled'] as const;

/** `degraded`: everything that was read is applied, but the enumeration was not proven complete, so nothing was deleted. */
export type RunState = (typeof runStates)[number];

export function isFinal(state: RunState): boolean {
  return state !== 'running' && state !== 'paused';
}

/** How far a run is: the answer of the workflow's `progress` query, and what is kept of it. */
export interface RunProgress {
  state: RunState;
  counts: BatchCounts;
  pages: number;
  /** Where the next page begins, as the source's cursor; absent when the source has been read to its end. */
  cursor?: string;
  /** One sentence for people: what it is doing right now. */
  activity: string;
  /** Why it failed or is degraded. */
  reason?: string;
}

/** Input of the `ingestSource` workflow. What is secret about the source stays out of it, sealed in the run's document. */
export interface IngestSourceRequest {
  tenantId: string;
  runId: string;
  sourceId: string;
  sourceType: string;
  /** Carried through continue-as-new. */
  resume?: RunProgress & { startedFingerprint?: string };
}

/** One page of a source, landed as a batch of raw records. */
export interface LandedPage {
  batchId: string;
  records: number;
  /** Absent after the last page. */
  nextCursor?: string;
}

export function runWorkflowId(tenantId: string, sourceId: string, runId: string): string {
  return `ingest:${tenantId}:${sourceId}:${runId}`;
}

export function runBatchId(tenantId: string, runId: string, page: string): string {
  return `${tenantId}:run:${runId}:${page}`;
}
