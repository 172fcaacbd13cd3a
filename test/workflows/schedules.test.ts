import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runWorkflowId, type RunProgress } from '#domain/ingestion/run.ts';
import { backfillWorkflowId, fireWorkflowId, type Turn } from '#domain/ingestion/schedule.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeIngestion, gate, type FakeSource } from '#test/support/fake-ingestion.ts';
import { fakeScheduling, type FakeSchedule } from '#test/support/fake-scheduling.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { backfillSchedule } from '#workflows/ingestion/backfill-schedule.ts';
import type { fireSchedule } from '#workflows/ingestion/fire-schedule.ts';
import type { ingestSource } from '#workflows/ingestion/ingest-source.ts';

let temporal: TimeSkippingTemporal;
beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

const tenantId = 'acme';
const held: Turn = { outcome: 'held', holderRunId: 'another', holderWorkflowId: 'ingest:acme:fake:source:another' };
const queued: Turn = { outcome: 'queued', behindRunId: 'earlier', sameSchedule: true };

/** Fires one time of a schedule, and lets `watch` see what comes of it. */
async function fire<T>(
  schedule: FakeSchedule,
  watch: (
    handle: WorkflowHandle<typeof fireSchedule>,
    scheduled: ReturnType<typeof fakeScheduling>['seen'],
  ) => Promise<T>,
  source: FakeSource = { pages: 1 },
) {
  const [run, times] = [fakeIngestion(source), fakeScheduling(schedule)];
  const scheduleId = randomUUID();
  const made = {
    trigger: 'manual',
    scheduledFor: '2026-01-31T02:30:00.000Z',
    actor: 'ada',
    runId: scheduleId,
  } as const;
  const answer = await temporal.withWorkers({ ...run.activities, ...times.activities }, async (client) => {
    const handle = await client.workflow.start<typeof fireSchedule>('fireSchedule', {
      workflowId: fireWorkflowId(tenantId, 'warehouse', scheduleId),
      taskQueue: taskQueues.ingestion,
      args: [{ tenantId, scheduleId, made }],
    });
    return watch(handle, times.seen);
  });
  return { answer, pages: run.seen.pages, scheduled: times.seen, runId: scheduleId };
}

const outcome = (handle: WorkflowHandle<typeof fireSchedule>) => handle.result();

describe('a time of a schedule', () => {
  test('is put off by a part of the jitter', async () => {
    const { answer } = await fire({ jitterMs: 60_000 }, async (handle) => {
      await handle.result();
      const { events } = await handle.fetchHistory();
      return events?.flatMap(({ timerStartedEventAttributes: timer }) => timer?.startToFireTimeout ?? []);
    });
    expect(answer).toHaveLength(1);
    const seconds = Number(answer?.[0]?.seconds);
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(seconds).toBeLessThan(60);
  });

  test('makes a run, and sees it to its end', async () => {
    const { answer, pages, scheduled, runId } = await fire({}, outcome, { pages: 3 });
    expect(answer).toEqual({ runId, outcome: 'completed' });
    expect(pages).toEqual(['1:1', '1:2', '1:3']);
    expect(scheduled.occasions).toMatchObject([{ trigger: 'manual', scheduledFor: '2026-01-31T02:30:00.000Z' }]);
  });

  test('whose run fails says so, and does not fail itself', async () => {
    const onPage = (): never => {
      throw ApplicationFailure.nonRetryable('db:5432 refuses connections.', 'source-refused');
    };
    const { answer } = await fire({}, outcome, { pages: 1, onPage });
    expect(answer.outcome).toBe('failed');
  });

  test.each([
    ['skip', held, 'skipped: The run another was reading the source.'],
    ['skip', queued, 'skipped: The run earlier was waiting for the source already.'],
    ['buffer_one', queued, 'skipped: The run earlier was waiting for the source already.'],
  ] as const)('with the policy %s is skipped when it is %o, and says why', async (overlap, turn, expected) => {
    const { answer, pages, scheduled } = await fire({ overlap, turns: [turn] }, outcome);
    expect(answer.outcome).toBe(expected);
    expect(scheduled.ended).toEqual([expected]);
    expect(pages).toEqual([]);
  });

  test.each([
    ['buffer_one', held],
    ['buffer_all', queued],
    ['skip', { outcome: 'full' }],
  ] as const)('with the policy %s waits when it is %o, however long', async (overlap, turn) => {
    const turns = Array.from({ length: 30 }, () => turn);
    const { answer, scheduled } = await fire({ overlap, turns }, outcome);
    expect(answer.outcome).toBe('completed');
    expect(scheduled.turns).toBe(31);
  });

  test('waits on in a new execution after half an hour, as the same run', async () => {
    const turns = Array.from({ length: 203 }, () => held);
    const { answer, scheduled, runId } = await fire({ overlap: 'buffer_all', turns }, async (handle) => {
      const { runId: first } = await handle.describe();
      const result = await handle.result();
      const { status } = await temporal.client.workflow.getHandle(handle.workflowId, first).describe();
      return { result, status: status.name };
    });
    expect(answer).toEqual({ result: { runId, outcome: 'completed' }, status: 'CONTINUED_AS_NEW' });
    expect(scheduled.occasions).toHaveLength(1);
    expect(scheduled.turns).toBe(turns.length + 1);
  });

  test('with the policy cancel_other has the other run cancelled, once, and then reads', async () => {
    const busy = gate();
    const other = fakeIngestion({ pages: 2, onPage: () => busy.passed });
    const times = fakeScheduling({ overlap: 'cancel_other', turns: [held, held] });
    const workflowId = runWorkflowId(tenantId, 'fake:source', 'another');
    const [outcomes, ended] = await temporal.withWorkers(
      { ...other.activities, ...times.activities },
      async (client) => {
        const reading = await client.workflow.start<typeof ingestSource>('ingestSource', {
          workflowId,
          taskQueue: taskQueues.ingestion,
          args: [{ tenantId, runId: 'another', sourceId: 'fake:source', sourceType: 'postgres', actor: 'ada' }],
        });
        await expect.poll(() => other.seen.attempts.length, { timeout: 20_000 }).toBe(1);
        const fired = await client.workflow.start<typeof fireSchedule>('fireSchedule', {
          workflowId: fireWorkflowId(tenantId, 'warehouse', randomUUID()),
          taskQueue: taskQueues.ingestion,
          args: [{ tenantId, scheduleId: 'impatient' }],
        });
        await expect
          .poll(async () => (await reading.describe()).status.name, { timeout: 20_000 })
          .toBe('CANCELLED')
          .finally(() => busy.open());
        const { events } = await fired.fetchHistory();
        const asked = events?.filter((event) => event.requestCancelExternalWorkflowExecutionInitiatedEventAttributes);
        return [await fired.result(), asked?.length];
      },
    );
    expect(ended).toBe(1);
    expect(outcomes).toMatchObject({ outcome: 'completed' });
  });

  test('that waits can be cancelled, and is told once only', async () => {
    const turns = Array.from({ length: 10_000 }, () => held);
    const { answer, scheduled } = await fire({ overlap: 'buffer_all', turns }, async (handle, seen) => {
      await expect.poll(() => seen.turns, { timeout: 20_000 }).toBeGreaterThan(1);
      expect(await handle.executeUpdate<RunProgress, []>('cancel')).toMatchObject({ state: 'cancelled' });
      return handle.result();
    });
    expect(answer.outcome).toBe('cancelled: Cancelled as it waited.');
    expect(scheduled.ended).toEqual([answer.outcome]);
  });

  test('that has had its run makes no other', async () => {
    const { answer, pages } = await fire({ done: ['2026-01-31T02:30:00.000Z'] }, outcome);
    expect(answer).toEqual({ outcome: 'This time has had its run.' });
    expect(pages).toEqual([]);
  });
});

describe('a backfill', () => {
  test(
    'makes up for times one after the other, and leaves those alone that have had their run',
    { timeout: 180_000 },
    async () => {
      const times = Array.from({ length: 105 }, (_, day) => new Date(Date.UTC(2026, 0, 1 + day, 2, 30)).toISOString());
      const done = [times[1] ?? '', times[77] ?? ''];
      const run = fakeIngestion({ pages: 1 });
      const scheduled = fakeScheduling({ done });
      const dealtWith = await temporal.withWorkers({ ...run.activities, ...scheduled.activities }, async (client) => {
        const handle = await client.workflow.start<typeof backfillSchedule>('backfillSchedule', {
          workflowId: backfillWorkflowId(tenantId, 'nightly', randomUUID()),
          taskQueue: taskQueues.ingestion,
          args: [{ tenantId, scheduleId: 'nightly', savedSourceId: 'warehouse', backfillId: randomUUID(), times }],
        });
        return handle.result();
      });
      expect(dealtWith).toBe(times.length);
      expect(scheduled.seen.occasions.map(({ scheduledFor }) => scheduledFor)).toEqual(times);
      expect(scheduled.seen.occasions.every(({ trigger }) => trigger === 'backfill')).toBe(true);
      expect(run.seen.pages).toHaveLength(times.length - done.length);
      expect(run.seen.mostAtOnce).toBe(1);
    },
  );
});
