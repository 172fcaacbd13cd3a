import { proxyActivities } from '@temporalio/workflow';
import type { ReprocessingActivities } from '#activities/transformation/reprocessing/index.ts';
import type { JobProgress, JobRequest } from '#domain/transformation/job.ts';
import { applyBatch, runJob } from './run-job.ts';

/** A page reads some thousand documents; a worker that died is noticed by its missing heartbeat. */
const steps = proxyActivities<ReprocessingActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});
const documents = proxyActivities<ReprocessingActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/**
 * Transforms what arrived in a range of time anew, under today's rules, page by page in the order of arrival. Each entity is
 * compared with what all that was said of it comes to today; only where that differs, a new version is made.
 */
export async function reprocessRawRecords(request: JobRequest): Promise<JobProgress> {
  const job = { tenantId: request.tenantId, jobId: request.jobId };
  return runJob(request, {
    save: (report) => documents.saveReprocessing(job, report),
    async page(page, cursor) {
      const done = await steps.reprocessPage({ job, page, ...(cursor === undefined ? {} : { cursor }) });
      const next = done.nextCursor === undefined ? undefined : { cursor: done.nextCursor };
      if (done.batchId === undefined) return { counts: { ...done.counts }, next };
      const { created, updated, deleted, rejected } = await applyBatch(request, done.batchId, 'reprocess');
      return { counts: { ...done.counts, created, updated, deleted, overtaken: rejected }, next };
    },
  });
}
