import { LRUCache } from 'lru-cache';
import type { EntityVersion } from '#domain/assets/entity.ts';
import type { DeadLetter } from '#domain/transformation/dead-letter.ts';
import type { Settlement } from './openlineage/settle.ts';
import type { PreparedRecord } from './prepare.ts';
import type { WaitingRecord } from './receipts.ts';

/** What the steps of one batch hand on to each other within a worker. */
export interface BatchWork {
  /** Raw records read. */
  read: number;
  records: PreparedRecord[];
  /** Records that cannot be processed. */
  letters: DeadLetter[];
  waiting: WaitingRecord[];
  /** What OpenLineage events come to beside records. */
  lineage: Settlement;
  /** Set by the store step. */
  versions?: EntityVersion[];
}

/** Batches at hand at once; more than run concurrently, so a batch usually finds its own work again. */
const batchesAtHand = 64;

/**
 * A worker's memory of the batches it is working on. Only a shortcut: every step can make its input anew from MongoDB,
 * and does so after a crash or on another worker.
 */
export class BatchWorkspace {
  readonly #work = new LRUCache<string, BatchWork>({ max: batchesAtHand, ttl: 5 * 60_000 });

  get(batchId: string): BatchWork | undefined {
    return this.#work.get(batchId);
  }

  set(batchId: string, work: BatchWork): void {
    this.#work.set(batchId, work);
  }

  drop(batchId: string): void {
    this.#work.delete(batchId);
  }
}
