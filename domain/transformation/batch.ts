/** How records came in. */
export const doors = ['rest', 'run', 'stream', 'webhook', 'socket', 'topic', 'openlineage', 'replay'] as const;
export type Door = (typeof doors)[number];

/** What a record's body is, when it is not an `IngestRecord`: an OpenLineage event, as it was sent. */
export type RecordFormat = 'openlineage';

export function recordFormat(text: string | undefined): RecordFormat | undefined {
  return text === 'openlineage' ? text : undefined;
}

/**
 * Names a batch of raw records of one tenant that wait in MongoDB. Workflows pass this reference on, never the bodies.
 */
export interface BatchRef {
  tenantId: string;
  /** `{tenant}:{topic}:{partition}:{from}-{to}` or `{tenant}:run:{run}:{page}`. */
  batchId: string;
  /** The topic, or the type of the crawled source. */
  source: string;
}

/**
 * What became of a batch's records. `created`, `updated` and `deleted` count entities, `unchanged` and `rejected` records. Where
 * each record states one entity, the sum is the number read; an OpenLineage event may change many entities.
 */
export interface BatchCounts {
  read: number;
  created: number;
  updated: number;
  deleted: number;
  unchanged: number;
  rejected: number;
}

export const noCounts: BatchCounts = { read: 0, created: 0, updated: 0, deleted: 0, unchanged: 0, rejected: 0 };

export function addCounts(left: BatchCounts, right: BatchCounts): BatchCounts {
  return {
    read: left.read + right.read,
    created: left.created + right.created,
    updated: left.updated + right.updated,
    deleted: left.deleted + right.deleted,
    unchanged: left.unchanged + right.unchanged,
    rejected: left.rejected + right.rejected,
  };
}

export function transformWorkflowId(batchId: string): string {
  return `batch:${batchId}`;
}

export function propagationWorkflowId(batchId: string): string {
  return `propagate:${batchId}`;
}

/** What became of one record, as the request that waits for it is told. */
export interface Receipt {
  recordId: string;
  outcome: 'created' | 'updated' | 'deleted' | 'unchanged' | 'rejected' | 'version-mismatch';
  /** The entity's version after the record; absent when it was rejected. */
  version?: number;
  /** Why it was rejected. */
  reason?: string;
  workflowId: string;
}
