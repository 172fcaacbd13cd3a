import { proxyActivities } from '@temporalio/workflow';
import type { SourceTestActivities } from '#activities/ingestion/source-test.ts';
import type { SourceTestRequest, SourceTestResult } from '#domain/ingestion/saved-source.ts';

/** Somebody waits for the answer, so it is tried once more only where Lily's own servers failed. */
const { checkSource } = proxyActivities<SourceTestActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { maximumAttempts: 2, initialInterval: '200 milliseconds' },
});

/** Opens a saved source on a worker, where runs read it, and answers whether that works. */
export async function testSource(request: SourceTestRequest): Promise<SourceTestResult> {
  return checkSource(request);
}
