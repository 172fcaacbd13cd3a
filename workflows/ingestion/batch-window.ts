import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  ParentClosePolicy,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { typesInOrder, type RunRef } from '#domain/ingestion/run.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { transformWorkflowId, type BatchCounts, type BatchRef } from '#domain/transformation/batch.ts';

/** The contract of the workflow that transforms, stores, links and publishes one landed batch. */
type TransformBatch = (ref: BatchRef) => Promise<BatchCounts>;

/** Batches of a run under way at once: enough to keep the pipeline busy, few enough that streams get their turn. */
const batchesAtOnce = 3;

/** Hears of each batch when it is about to be applied, and when it has been. */
export interface BatchLedger {
  started(batchId: string): void;
  applied(batchId: string, counts: BatchCounts): void;
}

/** Hands landed batches to the pipeline, a few at a time. */
export class BatchWindow {
  readonly #run: RunRef;
  readonly #ledger: BatchLedger;
  readonly #atOnce: number;
  #underWay = 0;
  #failures: unknown[] = [];

  constructor(run: RunRef, ledger: BatchLedger) {
    this.#run = run;
    this.#atOnce = typesInOrder.includes(run.sourceType) ? 1 : batchesAtOnce;
    this.#ledger = ledger;
  }

  /** Starts the batch as soon as there is room. @throws the failure of an earlier batch */
  async add(batchId: string): Promise<void> {
    await condition(() => this.#underWay < this.#atOnce || this.#failures.length > 0);
    this.#throwFailure();
    this.#underWay += 1;
    this.#ledger.started(batchId);
    void this.#apply(batchId);
  }

  /** Returns when every batch has ended. @throws the first failure of any */
  async drain(): Promise<void> {
    await condition(() => this.#underWay === 0);
    this.#throwFailure();
  }

  async #apply(batchId: string): Promise<void> {
    try {
      // A landed batch is applied to its end, whatever becomes of the run: half a batch would keep its events to itself.
      const counts = await CancellationScope.nonCancellable(() => this.#transform(batchId));
      this.#ledger.applied(batchId, counts);
    } catch (error) {
      this.#failures.push(error);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #transform(batchId: string): Promise<BatchCounts> {
    const { tenantId, sourceType } = this.#run;
    const ref: BatchRef = { tenantId, batchId, source: sourceType };
    const child = await this.#start(batchId, ref);
    return child.result();
  }

  async #start(batchId: string, ref: BatchRef): Promise<ChildWorkflowHandle<TransformBatch>> {
    for (;;) {
      try {
        return await this.#startOnce(batchId, ref);
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        // An earlier attempt of this run, which was terminated, had started it. Its result can be had only by doing it again.
        await sleep('2 seconds');
      }
    }
  }

  #startOnce(batchId: string, ref: BatchRef): Promise<ChildWorkflowHandle<TransformBatch>> {
    const { tenantId, sourceType, sourceId } = this.#run;
    return startChild<TransformBatch>('transformBatch', {
      args: [ref],
      workflowId: transformWorkflowId(batchId),
      taskQueue: taskQueues.pipeline,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: typedLabels({
        tenant: tenantId,
        job: 'transformBatch',
        source: sourceType,
        subject: batchId,
      }),
      staticSummary: `One page of ${sourceId}`,
    });
  }

  #throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
