import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobWorkflowId, type JobKind, type JobProgress, type JobRequest } from '#domain/transformation/job.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { gate } from '#test/support/fake-ingestion.ts';
import { fakeReplay, fakeReprocessing } from '#test/support/fake-jobs.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';

let temporal: TimeSkippingTemporal;
beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

type Handle = WorkflowHandle<(request: JobRequest) => Promise<JobProgress>>;
type Activities = Parameters<TimeSkippingTemporal['withWorkers']>[0];

const types = { replay: 'replayDeadLetters', reprocess: 'reprocessRawRecords' } as const;

/** Starts a job on fake stores and lets `watch` deal with it. */
async function run<T>(
  kind: JobKind,
  activities: Activities,
  watch: (handle: Handle) => Promise<T>,
  options: Partial<JobRequest> = {},
): Promise<T> {
  const request: JobRequest = { tenantId: 'acme', jobId: randomUUID(), actor: 'ada', ...options };
  return temporal.withWorkers(activities, async () => {
    const handle: Handle = await temporal.client.workflow.start(types[kind], {
      workflowId: jobWorkflowId(kind, request),
      taskQueue: taskQueues.pipeline,
      args: [request],
    });
    return watch(handle);
  });
}

const result = (handle: Handle): Promise<JobProgress> => handle.result();

describe('a replay', () => {
  test('goes on page by page until nothing is left, wave by wave within a page', async () => {
    const { activities, seen } = fakeReplay({ pages: [200, 3], waves: 2 });
    expect(await run('replay', activities, result)).toMatchObject({
      state: 'completed',
      pages: 3,
      counts: { letters: 203, resolved: 201, rejected: 2 },
    });
    expect(seen.batches.map((id) => id.split(':').at(-1))).toEqual(['1-0', '1-1', '2-0', '2-1']);
    expect([seen.settled, seen.released]).toEqual([[1, 2], 0]);
    expect(seen.reports.at(-1)?.progress.state).toBe('completed');
  });

  test('waits while it is paused, and brings the page under way to its end when it is cancelled', async () => {
    const [reached, door] = [gate(), gate()];
    const { activities, seen } = fakeReplay({
      pages: [2, 2, 2, 2],
      async onPage(page) {
        if (page !== 2) return;
        reached.open();
        await door.passed;
      },
    });
    const progress = await run('replay', activities, async (handle) => {
      await reached.passed;
      expect(await handle.executeUpdate('pause')).toMatchObject({ state: 'paused' });
      await expect(handle.executeUpdate('pause')).rejects.toThrow();
      door.open();
      await expect.poll(() => seen.settled.length, { timeout: 10_000 }).toBe(2);
      expect(await handle.query('progress')).toMatchObject({ state: 'paused', pages: 2 });
      await handle.executeUpdate('resume');
      await handle.executeUpdate('cancel');
      return handle.result();
    });
    expect(progress.state).toBe('cancelled');
    expect(seen.settled.length).toBe(seen.claimed.length);
  });

  test('is ended by the same rule when Temporal cancels it: what it claimed is settled', async () => {
    const [reached, door] = [gate(), gate()];
    const { activities, seen } = fakeReplay({
      pages: [2, 2, 2],
      async onBatch() {
        reached.open();
        await door.passed;
      },
    });
    const progress = await run('replay', activities, async (handle) => {
      await reached.passed;
      await handle.cancel();
      door.open();
      return handle.result();
    });
    expect([progress.state, seen.claimed, seen.settled]).toEqual(['cancelled', [1], [1]]);
  });

  test('lets go of its letters when it fails, and says why', async () => {
    const { activities, seen } = fakeReplay({
      pages: [2],
      onBatch: () => {
        throw ApplicationFailure.nonRetryable('the record is too large', 'body-too-large');
      },
    });
    await expect(run('replay', activities, result)).rejects.toThrow();
    expect(seen.released).toBe(1);
    expect(seen.reports.at(-1)?.progress).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('too large') as string,
    });
  });

  test('goes on through an outage of the store', async () => {
    let failures = 0;
    const { activities } = fakeReplay({
      pages: [2],
      onPage() {
        failures += 1;
        if (failures < 12) throw new Error('the store is away');
      },
    });
    expect(await run('replay', activities, result)).toMatchObject({ state: 'completed', counts: { letters: 2 } });
  });
});

describe('a reprocessing', () => {
  test('goes on from page to page, also over several executions, and applies what differs', async () => {
    const { activities, seen } = fakeReprocessing({ pages: 5 });
    const progress = await run('reprocess', activities, result, { pagesPerExecution: 2 });
    expect(progress).toMatchObject({
      state: 'completed',
      pages: 5,
      counts: { records: 50, entities: 25, changing: 3, created: 12, updated: 6, overtaken: 3 },
    });
    expect(seen.cursors).toEqual([undefined, 'after 1', 'after 2', 'after 3', 'after 4']);
    expect(seen.batches.map((id) => id.split(':').at(-1))).toEqual(['1', '3', '5']);
    const revisions = seen.reports.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  });

  test('remembers that it is paused when it goes on in another execution', async () => {
    const { activities, seen } = fakeReprocessing({ pages: 3 });
    const progress = await run(
      'reprocess',
      activities,
      async (handle) => {
        await handle.executeUpdate('pause');
        const before = await handle.query<JobProgress>('progress');
        expect(before.state).toBe('paused');
        await handle.executeUpdate('resume');
        return handle.result();
      },
      { pagesPerExecution: 1 },
    );
    expect([progress.state, seen.pages]).toEqual(['completed', [1, 2, 3]]);
  });
});
