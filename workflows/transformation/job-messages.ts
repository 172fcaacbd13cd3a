import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { JobProgress } from '#domain/transformation/job.ts';

/** How far the job is. */
export const progressQuery = defineQuery<JobProgress>('progress');

/** Stop after the page under way. Refused unless the job is running. */
export const pauseUpdate = defineUpdate<JobProgress>('pause');

/** Go on where the job stopped. Refused unless it is paused. */
export const resumeUpdate = defineUpdate<JobProgress>('resume');

/** End the job after the page under way. What was applied stays. Refused when it has ended. */
export const cancelUpdate = defineUpdate<JobProgress>('cancel');
