import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { TransformationActivities } from '#activities/transformation/index.ts';
import type { BatchCounts, BatchRef } from '#domain/transformation/batch.ts';
import { fastThenDurable } from '#workflows/transformation/fast-then-durable.ts';

const steps = fastThenDurable<TransformationActivities>(
  proxyLocalActivities<TransformationActivities>({ startToCloseTimeout: '30 seconds' }),
  proxyActivities<TransformationActivities>({ startToCloseTimeout: '2 minutes' }),
);

/** `transformBatch` as somebody may come to write it: publishes before the graph is linked. */
export async function transformBatch(batch: BatchRef): Promise<BatchCounts> {
  await steps('transformRecords', batch);
  const counts = await steps('storeEntities', batch);
  await steps('publishChanges', batch);
  await steps('linkGraph', batch);
  await steps('closeBatch', batch, counts);
  return counts;
}
