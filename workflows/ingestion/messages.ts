import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { RunProgress } from '#domain/ingestion/run.ts';

/** How far the run is. */
export const progressQuery = defineQuery<RunProgress>('progress');

/** Stop after the page that is being read. Refused unless the run is running. */
export const pauseUpdate = defineUpdate<RunProgress>('pause');

/** Go on where the run stopped. Refused unless it is paused. */
export const resumeUpdate = defineUpdate<RunProgress>('resume');

/** End the run. What was applied stays, what was not read is left alone, nothing is deleted. Refused when it has ended. */
export const cancelUpdate = defineUpdate<RunProgress>('cancel');
