import { sleep } from '@temporalio/workflow';
import * as real from '#workflows/index.ts';

/** The workflows as they are, each with a timer planted before its first step: no recorded history fits them. */
function late<Args extends unknown[], Result>(workflow: (...args: Args) => Promise<Result>) {
  return async (...args: Args): Promise<Result> => {
    await sleep('1 second');
    return workflow(...args);
  };
}

export const handleIncident = late(real.handleIncident);
export const ingestSource = late(real.ingestSource);
export const propagateChanges = late(real.propagateChanges);
export const transformBatch = late(real.transformBatch);
export const backfillSchedule = late(real.backfillSchedule);
export const fireSchedule = late(real.fireSchedule);
export const testSource = late(real.testSource);
export const followTopic = late(real.followTopic);
export const previewSource = late(real.previewSource);
export const replayDeadLetters = late(real.replayDeadLetters);
export const reprocessRawRecords = late(real.reprocessRawRecords);
