import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowHandle,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PropagationActivities } from '#activities/propagation/index.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { propagationWorkflowId, transformWorkflowId, type BatchRef } from '#domain/transformation/batch.ts';
import { fakeTransformation, someCounts, type FakeTransformation } from '#test/support/fake-transformation.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { transformBatch } from '#workflows/transformation/transform-batch.ts';

const ABANDON = proto.temporal.api.enums.v1.ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON;
const hourMs = 3_600_000;
const allSteps = ['transformRecords', 'storeEntities', 'linkGraph', 'publishChanges', 'closeBatch'];

let temporal: TimeSkippingTemporal;

beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

function someBatch(): BatchRef {
  return { tenantId: 'acme', batchId: `acme:test:0:${randomUUID()}`, source: 'test' };
}

function start(
  batch: BatchRef,
  options: Pick<WorkflowStartOptions, 'workflowTaskTimeout'> = {},
): Promise<WorkflowHandle<typeof transformBatch>> {
  return temporal.client.workflow.start<typeof transformBatch>('transformBatch', {
    ...options,
    workflowId: transformWorkflowId(batch.batchId),
    taskQueue: taskQueues.pipeline,
    args: [batch],
  });
}

async function transform(fake: FakeTransformation, batch = someBatch()): Promise<unknown> {
  return temporal.withWorkers({ ...fake.activities }, async () => (await start(batch)).result());
}

/** The failure of the step that made the workflow fail. */
async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await result.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowFailedError)) throw new Error(`the workflow did not fail, but: ${String(error)}`);
  const { cause } = error;
  // A regular activity's failure comes wrapped, a local one's bare.
  const root = cause instanceof ActivityFailure ? cause.cause : cause;
  if (!(root instanceof ApplicationFailure)) throw error;
  return root;
}

async function closePolicyOfChild(batch: BatchRef): Promise<unknown> {
  const { events } = await temporal.client.workflow.getHandle(transformWorkflowId(batch.batchId)).fetchHistory();
  const initiated = events?.find((event) => event.startChildWorkflowExecutionInitiatedEventAttributes != null);
  return initiated?.startChildWorkflowExecutionInitiatedEventAttributes?.parentClosePolicy;
}

describe('transformBatch', () => {
  it('takes each step once, the fast way, in order, and answers the counts', async () => {
    const fake = fakeTransformation();
    expect(await transform(fake)).toEqual(someCounts);
    expect(fake.attempts).toEqual(allSteps.map((step) => ({ step, way: 'fast' })));
  });

  it.each(allSteps)('takes %s the durable way when it fails twice the fast way', async (failing) => {
    const fake = fakeTransformation({
      fault: ({ step, way }) => {
        if (step === failing && way === 'fast') throw new Error('the store is away');
      },
    });
    expect(await transform(fake)).toEqual(someCounts);
    const ways = fake.attempts.filter(({ step }) => step === failing).map(({ way }) => way);
    expect(ways).toEqual(['fast', 'fast', 'durable']);
    const others = fake.attempts.filter(({ step }) => step !== failing);
    expect(others).toEqual(allSteps.filter((step) => step !== failing).map((step) => ({ step, way: 'fast' })));
  });

  it('goes on the fast way when the second attempt succeeds', async () => {
    const fake = fakeTransformation({
      fault: ({ step }, earlier) => {
        if (step === 'linkGraph' && earlier === 0) throw new Error('a deadlock');
      },
    });
    expect(await transform(fake)).toEqual(someCounts);
    expect(fake.attempts.map(({ way }) => way)).toEqual(Array(6).fill('fast'));
  });

  it('is patient through an outage of hours', async () => {
    const outageAttempts = 1_000;
    const fake = fakeTransformation({
      fault: ({ step }, earlier) => {
        if (step === 'storeEntities' && earlier < outageAttempts) throw new Error('the store is away');
      },
    });
    const startedAt = await temporal.now();
    expect(await transform(fake)).toEqual(someCounts);
    expect(fake.attempts.filter(({ step }) => step === 'storeEntities')).toHaveLength(outageAttempts + 1);
    expect((await temporal.now()) - startedAt).toBeGreaterThan(2 * hourMs);
  });

  // Known defect: a local activity's failure is not wrapped, so `fastThenDurable` takes it for a passing one and tries the
  // step once more the durable way. Make this an ordinary `it` when that is mended.
  it('fails at once, and takes no further step, when a step says that trying again is no use', async () => {
    const fake = fakeTransformation({
      fault: ({ step }) => {
        if (step === 'storeEntities') throw ApplicationFailure.nonRetryable('never', 'invalid-input');
      },
    });
    expect(await failureOf(transform(fake))).toMatchObject({ type: 'invalid-input', message: 'never' });
    expect(fake.attempts.map(({ step }) => step)).toEqual(['transformRecords', 'storeEntities']);
  });

  it('fails when trying again proves to be no use the durable way', async () => {
    const fake = fakeTransformation({
      fault: ({ step, way }) => {
        if (step !== 'publishChanges') return;
        if (way === 'durable') throw ApplicationFailure.nonRetryable('too large', 'body-too-large');
        throw new Error('the broker is away');
      },
    });
    expect(await failureOf(transform(fake))).toMatchObject({ type: 'body-too-large' });
    expect(fake.attempts.at(-1)).toEqual({ step: 'publishChanges', way: 'durable' });
  });

  it('ends as cancelled, and takes no further step, when it is cancelled', async () => {
    const reached = Promise.withResolvers<void>();
    const fake = fakeTransformation({
      fault: async ({ step }) => {
        if (step !== 'linkGraph') return;
        reached.resolve();
        await Context.current().cancelled;
      },
    });
    const result = temporal.withWorkers({ ...fake.activities }, async () => {
      // Cancellation is heard of at the end of a workflow task, which a local activity prolongs.
      const handle = await start(someBatch(), { workflowTaskTimeout: '1 second' });
      await reached.promise;
      await handle.cancel();
      return handle.result();
    });
    await expect(result).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    expect(fake.attempts.map(({ step }) => step)).toEqual(['transformRecords', 'storeEntities', 'linkGraph']);
  });
});

describe('what follows a batch', () => {
  it('is nothing when no changed entity has dependents', async () => {
    const batch = someBatch();
    await transform(fakeTransformation({ roots: 0 }), batch);
    const handle = temporal.client.workflow.getHandle(propagationWorkflowId(batch.batchId));
    await expect(handle.describe()).rejects.toThrow(WorkflowNotFoundError);
  });

  it('is a propagation that goes on when the batch is done', async () => {
    const batch = someBatch();
    const requests: unknown[] = [];
    const released = Promise.withResolvers<void>();
    const propagation: PropagationActivities = {
      async emitImpacts(request) {
        requests.push(request);
        await released.promise;
        return { roots: request.roots, affected: 7 };
      },
    };
    const { activities } = fakeTransformation({ roots: 3 });
    await temporal.withWorkers({ ...activities, ...propagation }, async (client) => {
      try {
        expect(await (await start(batch)).result()).toEqual(someCounts);
        const child = client.workflow.getHandle(propagationWorkflowId(batch.batchId));
        const { status, type, typedSearchAttributes, parentExecution } = await child.describe();
        expect({ type, status: status.name }).toEqual({ type: 'propagateChanges', status: 'RUNNING' });
        // The test server does not heed the policy, so its own behaviour would prove nothing.
        expect(await closePolicyOfChild(batch)).toBe(ABANDON);
        expect(parentExecution?.workflowId).toBe(transformWorkflowId(batch.batchId));
        const labels = typedLabels({ tenant: 'acme', job: 'propagateChanges', source: 'test', subject: batch.batchId });
        for (const { key, value } of labels) expect(typedSearchAttributes.get(key)).toBe(value);
        released.resolve();
        expect(await child.result()).toEqual({ roots: 3, affected: 7 });
      } finally {
        // The worker does not end before its activities do.
        released.resolve();
      }
    });
    expect(requests).toEqual([{ tenantId: 'acme', batchId: batch.batchId, roots: 3 }]);
  });
});
