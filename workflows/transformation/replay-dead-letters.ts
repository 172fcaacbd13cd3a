import { proxyActivities } from '@temporalio/workflow';
import type { ReplayActivities } from '#activities/transformation/replay/index.ts';
import type { JobProgress, JobRequest } from '#domain/transformation/job.ts';
import { applyBatch, runJob } from './run-job.ts';

/**
 * MongoDB is the only counterpart; its outages are waited out, because a claimed letter waits with it. A step takes a second
 * or two, so a worker that died is noticed soon.
 */
const steps = proxyActivities<ReplayActivities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/**
 * Replays dead letters through the pipeline, in the order in which their records arrived, a page at a time. Each letter is
 * claimed before it is replayed, and what became of it is written into it: applied, or rejected again with the new reason.
 */
export async function replayDeadLetters(request: JobRequest): Promise<JobProgress> {
  const job = { tenantId: request.tenantId, jobId: request.jobId };
  return runJob(request, {
    save: (report) => steps.saveReplay(job, report),
    letGo: () => steps.releaseLetters(job),
    async page(page) {
      const { letters, waves } = await steps.claimLetters({ job, page });
      if (letters === 0) return { counts: {}, next: undefined };
      for (let wave = 0; wave < waves;) {
        const { batchIds, again } = await steps.landWave({ job, page, wave });
        for (const batchId of batchIds) await applyBatch(request, batchId, 'replay');
        if (again !== true) wave += 1;
      }
      return { counts: await steps.settleLetters({ job, page }), next: {} };
    },
  });
}
