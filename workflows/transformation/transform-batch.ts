import {
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  startChild,
} from '@temporalio/workflow';
import type { TransformationActivities } from '#activities/transformation/index.ts';
import type { PropagationRequest } from '#domain/propagation/impact.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { propagationWorkflowId, type BatchCounts, type BatchRef } from '#domain/transformation/batch.ts';
import { propagateChanges } from '../propagation/propagate-changes.ts';
import { fastThenDurable } from './fast-then-durable.ts';

/** The usual way: inside the workflow task, without a round trip to the server for each step. */
const fast = proxyLocalActivities<TransformationActivities>({
  startToCloseTimeout: '30 seconds',
  // A passing fault is over within a second; a longer outage is left to the durable way, where people can see it.
  retry: { maximumAttempts: 2, initialInterval: '200 ms' },
});

/** The way through an outage: each attempt is in the Web UI with its error, and it is tried until it succeeds. */
const durable = proxyActivities<TransformationActivities>({
  startToCloseTimeout: '2 minutes',
  retry: { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

const steps = fastThenDurable<TransformationActivities>(fast, durable);

/**
 * Takes one landed batch of raw records through transform, store, link and publish, and hands what changed to
 * `propagateChanges`. Works on the reference only; the records stay in MongoDB.
 */
export async function transformBatch(batch: BatchRef): Promise<BatchCounts> {
  const { read, rejected } = await steps('transformRecords', batch);
  const counts = await steps('storeEntities', batch);
  const { roots } = await steps('linkGraph', batch);
  await steps('publishChanges', batch);
  await steps('closeBatch', batch, counts);
  if (roots > 0) await propagate({ tenantId: batch.tenantId, batchId: batch.batchId, roots }, batch.source);
  setCurrentDetails(summary(read, rejected, counts));
  return counts;
}

/** Starts the propagation and does not wait for it: it goes on when this batch is done. */
async function propagate(request: PropagationRequest, source: string): Promise<void> {
  const { tenantId, batchId, roots } = request;
  await startChild(propagateChanges, {
    workflowId: propagationWorkflowId(batchId),
    args: [request],
    taskQueue: taskQueues.pipeline,
    parentClosePolicy: ParentClosePolicy.ABANDON,
    typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'propagateChanges', source, subject: batchId }),
    staticSummary: `${roots} changed entities with dependents, tenant ${tenantId}`,
  });
}

function summary(read: number, rejected: number, counts: BatchCounts): string {
  return [
    '| read | created | updated | deleted | unchanged | rejected |',
    '|---|---|---|---|---|---|',
    `| ${read} | ${counts.created} | ${counts.updated} | ${counts.deleted} | ${counts.unchanged} | ${Math.max(rejected, counts.rejected)} |`,
  ].join('\n');
}
