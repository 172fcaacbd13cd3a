import type { BatchCounts } from '../transformation/batch.ts';
import type { SourceProgress } from './run.ts';

export const dryRunStates = ['running', 'completed', 'failed', 'cancelled'] as const;

/** A dry run says what a run would do, and writes none of it. */
export type DryRunState = (typeof dryRunStates)[number];

export const dryRunOutcomes = ['created', 'updated', 'deleted', 'unchanged', 'rejected'] as const;
export type DryRunOutcome = (typeof dryRunOutcomes)[number];

/** What would become of one record. */
export interface DryRunFinding {
  outcome: DryRunOutcome;
  /** Where the record stands in its source, such as `row 17`. */
  place?: string;
  metadata_id?: string;
  entity_type?: string;
  qualified_name?: string;
  /** Of what would be updated: the fields that change, as `attributes.description`. */
  changed_fields?: string[];
  /** Of what would be rejected: why. */
  detail?: string;
}

/** Names a dry run for its workflow and activities. */
export interface DryRunRef {
  tenantId: string;
  dryRunId: string;
  sourceId: string;
  sourceType: string;
  actor: string;
}

/** Input of the `previewSource` workflow. */
export interface PreviewRequest extends DryRunRef {
  /** Carried through continue-as-new. */
  resume?: { page: number; cursor: string; incomplete: boolean };
}

/** What became of a page, or of the look for deletions: its numbers and a sample. */
export interface DryRunPage {
  counts: BatchCounts;
  findings: DryRunFinding[];
}

export interface PreviewedPage {
  /** Absent after the last page. */
  nextCursor?: string;
  progress?: SourceProgress;
  /** Whether something of the page could not be read: then nothing can be said of deletions. */
  incomplete?: true;
}

export function dryRunWorkflowId(tenantId: string, dryRunId: string): string {
  return `preview:${tenantId}:${dryRunId}`;
}
