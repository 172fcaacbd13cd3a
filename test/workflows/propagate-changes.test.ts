import { randomUUID } from 'node:crypto';
import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PropagationActivities } from '#activities/propagation/index.ts';
import type { PropagationRequest, PropagationResult } from '#domain/propagation/impact.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { propagationWorkflowId } from '#domain/transformation/batch.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { propagateChanges } from '#workflows/propagation/propagate-changes.ts';

const minuteMs = 60_000;

let temporal: TimeSkippingTemporal;

beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

/** Runs the workflow with this in place of what follows changes through the graph. */
async function propagate(
  emitImpacts: PropagationActivities['emitImpacts'],
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<PropagationResult> {
  const request: PropagationRequest = { tenantId: 'acme', batchId: `acme:test:0:${randomUUID()}`, roots: 2 };
  return temporal.withWorkers({ emitImpacts }, async (client) => {
    const handle = await client.workflow.start<typeof propagateChanges>('propagateChanges', {
      workflowId: propagationWorkflowId(request.batchId),
      taskQueue: taskQueues.pipeline,
      args: [request],
    });
    await meanwhile();
    return handle.result();
  });
}

describe('propagateChanges', () => {
  it('answers how many entities the changes concern', async () => {
    const requests: PropagationRequest[] = [];
    const result = await propagate(async (request) => {
      requests.push(request);
      return { roots: request.roots, affected: 5 };
    });
    expect(result).toEqual({ roots: 2, affected: 5 });
    expect(requests).toEqual([{ tenantId: 'acme', batchId: expect.any(String), roots: 2 }]);
  });

  it('tries again until it succeeds, ten seconds apart at most', async () => {
    const failures = 50;
    const attemptedAt: number[] = [];
    const result = await propagate(async ({ roots }) => {
      attemptedAt.push(activityInfo().currentAttemptScheduledTimestampMs);
      if (attemptedAt.length <= failures) throw new Error('the graph is away');
      return { roots, affected: 5 };
    });
    expect(result.affected).toBe(5);
    const waits = attemptedAt.slice(1).map((at, index) => at - (attemptedAt[index] ?? at));
    console.log(waits);
    expect(waits).toHaveLength(failures);
    expect(Math.max(...waits)).toBeLessThan(11_000);
    expect(waits.slice(10).every((wait) => wait > 9_000)).toBe(true);
  });

  it('is given to another worker, with what was done so far, when the first is not heard of any more', async () => {
    const silent = Promise.withResolvers<void>();
    const attempts: unknown[] = [];
    const result = await propagate(
      async ({ roots }) => {
        const { attempt, heartbeatDetails } = activityInfo();
        attempts.push({ attempt, heartbeatDetails });
        if (attempt > 1) return { roots, affected: 5 };
        Context.current().heartbeat(500);
        silent.resolve();
        return new Promise<never>((_resolve, reject) => {
          Context.current().cancellationSignal.addEventListener('abort', () => reject(new Error('given up')));
        });
      },
      async () => {
        await silent.promise;
        await temporal.sleep(minuteMs);
      },
    );
    expect(result.affected).toBe(5);
    expect(attempts).toEqual([
      { attempt: 1, heartbeatDetails: undefined },
      { attempt: 2, heartbeatDetails: 500 },
    ]);
  });

  it('fails at once when trying again is no use', async () => {
    let attempts = 0;
    const result = propagate(async () => {
      attempts += 1;
      throw ApplicationFailure.nonRetryable('no such batch', 'not-found');
    });
    await expect(result).rejects.toMatchObject({ cause: { cause: { type: 'not-found' } } });
    expect(attempts).toBe(1);
  });
});
