import { activityInfo } from '@temporalio/activity';
import type { TransformationActivities } from '#activities/transformation/index.ts';
import type { BatchCounts } from '#domain/transformation/batch.ts';

type StepName = keyof TransformationActivities;

/** One attempt of a step. */
export interface Attempt {
  step: StepName;
  /** `fast` inside the workflow task, `durable` as an activity of its own. */
  way: 'fast' | 'durable';
}

export interface FakeTransformation {
  activities: TransformationActivities;
  attempts: Attempt[];
}

export const someCounts: BatchCounts = { read: 9, created: 4, updated: 2, deleted: 1, unchanged: 1, rejected: 1 };

/** Called at each attempt with how often its step has been tried before; what it throws, the attempt throws. */
export type Fault = (attempt: Attempt, earlier: number) => unknown;

/** The steps of `transformBatch` without any store, which note each attempt. */
export function fakeTransformation({
  roots = 0,
  fault = () => undefined,
}: { roots?: number; fault?: Fault } = {}): FakeTransformation {
  const attempts: Attempt[] = [];
  const attempted = async (step: StepName): Promise<void> => {
    const attempt: Attempt = { step, way: activityInfo().isLocal ? 'fast' : 'durable' };
    const earlier = attempts.filter((one) => one.step === step).length;
    attempts.push(attempt);
    await fault(attempt, earlier);
  };
  const activities: TransformationActivities = {
    async transformRecords() {
      await attempted('transformRecords');
      return { read: someCounts.read, rejected: someCounts.rejected };
    },
    async storeEntities() {
      await attempted('storeEntities');
      return someCounts;
    },
    async linkGraph() {
      await attempted('linkGraph');
      return { roots };
    },
    publishChanges: () => attempted('publishChanges'),
    closeBatch: () => attempted('closeBatch'),
  };
  return { activities, attempts };
}
