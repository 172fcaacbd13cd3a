import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runBatchId, runWorkflowId, type IngestSourceRequest, type RunProgress } from '#domain/ingestion/run.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeIngestion, gate as newGate, type FakeSource, type Gate } from '#test/support/fake-ingestion.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { ingestSource } from '#workflows/ingestion/ingest-source.ts';

let temporal: TimeSkippingTemporal;
beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

const gates: Gate[] = [];
const patience = { timeout: 20_000 };

/** A gate that opens at the latest when its test is over, so that a test that fails does not hold up the workers. */
function gate(): Gate {
  const made = newGate();
  gates.push(made);
  return made;
}

type Handle = WorkflowHandle<typeof ingestSource>;
type Seen = ReturnType<typeof fakeIngestion>['seen'];

/** Starts a run of a fake source and lets `watch` deal with it. */
async function run<T>(
  source: FakeSource,
  watch: (handle: Handle, seen: Seen, request: IngestSourceRequest) => Promise<T>,
  options: Partial<IngestSourceRequest> = {},
): Promise<{ answer: T; seen: Seen; request: IngestSourceRequest }> {
  const runId = randomUUID();
  const request = {
    tenantId: 'acme',
    runId,
    sourceId: 'fake:source',
    sourceType: 'postgres',
    actor: 'ada',
    ...options,
  };
  const { activities, seen } = fakeIngestion(source);
  const answer = await temporal.withWorkers(activities, async () => {
    const handle = await temporal.client.workflow.start<typeof ingestSource>('ingestSource', {
      workflowId: runWorkflowId(request.tenantId, request.sourceId, runId),
      taskQueue: taskQueues.ingestion,
      args: [request],
    });
    try {
      return await watch(handle, seen, request);
    } finally {
      for (const left of gates.splice(0)) left.open();
    }
  });
  return { answer, seen, request };
}

const result = (handle: Handle): Promise<RunProgress> => handle.result();
const labels = (seen: Seen, { tenantId, runId }: IngestSourceRequest): string[] =>
  seen.batches.map((id) => id.slice(runBatchId(tenantId, runId, '').length)).sort();

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError) return error.cause;
  throw new Error(`it did not fail, but: ${String(error)}`);
}

async function hasEvent(handle: Handle, attributes: string): Promise<boolean> {
  const { events } = await handle.fetchHistory();
  return events?.some((event) => event[attributes as keyof typeof event] != null) ?? false;
}

describe('a source that does not change', () => {
  test('is read page by page, each page is applied once, and what is gone is deleted', async () => {
    const { answer, seen, request } = await run({ pages: 4, deletions: { pages: 2, records: 20 } }, result);
    expect(seen.pages).toEqual(['1:1', '1:2', '1:3', '1:4']);
    expect(labels(seen, request)).toEqual(['1:1', '1:2', '1:3', '1:4', 'deleted:1:0', 'deleted:1:1']);
    expect(seen.deletions.map(({ pass }) => pass)).toEqual([1]);
    expect(answer).toMatchObject({ state: 'completed', pages: 4, counts: { read: 60, created: 60 } });
    expect(answer.cursor).toBeUndefined();
    expect(seen.reports.at(-1)?.progress).toEqual(answer);
    const revisions = seen.reports.map(({ revision }) => revision);
    expect(new Set(revisions).size).toBe(revisions.length);
  });

  test('is read on while batches are applied, but never more than three at a time', async () => {
    const door = gate();
    const { seen } = await run({ pages: 9, onBatch: () => door.passed }, async (handle, soFar) => {
      await expect.poll(() => soFar.pages.length, patience).toBe(4);
      await new Promise((done) => setTimeout(done, 500));
      await expect.poll(() => soFar.mostAtOnce, patience).toBe(3);
      // The fourth page has landed and waits for room.
      expect(soFar.pages).toHaveLength(4);
      door.open();
      return handle.result();
    });
    expect(seen.batches).toHaveLength(9);
    expect(seen.mostAtOnce).toBe(3);
  });

  test('loses nothing before everything that was read has been applied', async () => {
    const door = gate();
    const { seen } = await run({ pages: 2, onBatch: () => door.passed }, async (handle, soFar) => {
      await expect.poll(() => soFar.fingerprints, patience).toBe(2);
      await new Promise((done) => setTimeout(done, 500));
      expect(soFar.deletions).toEqual([]);
      door.open();
      return handle.result();
    });
    expect(seen.deletions).toHaveLength(1);
  });
});

describe('pausing', () => {
  test('lets the page under way end, reads no other until resumed, and refuses what makes no sense', async () => {
    const door = gate();
    const onPage = ({ page }: { page: number }) => (page === 2 ? door.passed : undefined);
    const { answer, seen } = await run({ pages: 4, onPage }, async (handle, soFar) => {
      await expect.poll(() => soFar.attempts.length, patience).toBe(2);
      expect(await failureOf(handle.executeUpdate('resume'))).toMatchObject({
        type: 'conflict',
        message: 'The run is running, not paused.',
      });
      expect(await handle.executeUpdate<RunProgress, []>('pause')).toMatchObject({ state: 'paused' });
      expect(soFar.reports.at(-1)?.progress.state).toBe('paused');
      door.open();
      await expect.poll(() => soFar.batches.length, patience).toBe(2);
      await new Promise((done) => setTimeout(done, 500));
      expect(soFar.attempts).toEqual(['1:1', '1:2']);
      expect(await handle.query<RunProgress>('progress')).toMatchObject({
        state: 'paused',
        pages: 2,
        cursor: 'after 2',
      });
      expect(await failureOf(handle.executeUpdate('pause'))).toMatchObject({ type: 'conflict' });
      await handle.executeUpdate('resume');
      return handle.result();
    });
    expect(answer).toMatchObject({ state: 'completed', pages: 4 });
    expect(seen.pages).toEqual(['1:1', '1:2', '1:3', '1:4']);
  });
});

describe('cancelling', () => {
  test('applies what has landed, reads no more and deletes nothing', async () => {
    const [page, batch] = [gate(), gate()];
    const { answer, seen, request } = await run(
      { pages: 5, onPage: (asked) => (asked.page === 3 ? page.passed : undefined), onBatch: () => batch.passed },
      async (handle, soFar) => {
        await expect.poll(() => soFar.attempts.length, patience).toBe(3);
        await handle.executeUpdate('cancel');
        expect(await failureOf(handle.executeUpdate('cancel'))).toMatchObject({ type: 'conflict' });
        expect(await failureOf(handle.executeUpdate('pause'))).toMatchObject({ type: 'conflict' });
        expect(soFar.batches).toEqual([]);
        // What became of the page that was being read has no bearing on it.
        page.open();
        await expect.poll(() => soFar.pages.length, patience).toBe(3);
        batch.open();
        return handle.result();
      },
    );
    expect(answer).toMatchObject({ state: 'cancelled', pages: 2, counts: { created: 20 } });
    expect(labels(seen, request)).toEqual(['1:1', '1:2']);
    expect(seen.deletions).toEqual([]);
    expect(seen.reports.at(-1)?.progress.state).toBe('cancelled');
  });

  test('works while the run is paused', async () => {
    const door = gate();
    const { answer, seen } = await run({ pages: 3, onPage: () => door.passed }, async (handle, soFar) => {
      await expect.poll(() => soFar.attempts.length, patience).toBe(1);
      await handle.executeUpdate('pause');
      door.open();
      await expect.poll(() => soFar.batches.length, patience).toBe(1);
      await handle.executeUpdate('cancel');
      return handle.result();
    });
    expect(answer.state).toBe('cancelled');
    expect(seen.pages).toEqual(['1:1']);
  });

  test('asked for in the Web UI ends the workflow as cancelled, and says so in the document', async () => {
    const [page, batch] = [gate(), gate()];
    const { seen } = await run(
      { pages: 3, onPage: (asked) => (asked.page === 2 ? page.passed : undefined), onBatch: () => batch.passed },
      async (handle, soFar) => {
        await expect.poll(() => soFar.attempts.length, patience).toBe(2);
        await handle.cancel();
        // The test server loses a workflow task that cancels an activity which has just ended.
        await expect.poll(() => hasEvent(handle, 'activityTaskCancelRequestedEventAttributes'), patience).toBe(true);
        page.open();
        await expect.poll(() => soFar.pages.length, patience).toBe(2);
        batch.open();
        expect(await failureOf(handle.result())).toBeInstanceOf(CancelledFailure);
      },
    );
    expect(seen.reports.at(-1)?.progress).toMatchObject({ state: 'cancelled', pages: 1 });
    expect(seen.batches).toHaveLength(1);
    expect(seen.deletions).toEqual([]);
  });
});

describe('a source that changes while it is read', () => {
  test('is read once more, and deletions are judged by the pass that was not disturbed', async () => {
    const fingerprints = ['one', 'two', 'two'];
    const { answer, seen } = await run({ pages: 2, fingerprints }, result);
    expect(seen.pages).toEqual(['1:1', '1:2', '2:1', '2:2']);
    expect(seen.deletions.map(({ pass }) => pass)).toEqual([2]);
    expect(answer).toMatchObject({ state: 'completed', pages: 4 });
  });

  test('makes the run degraded when it changes again, and nothing is deleted', async () => {
    const fingerprints = ['one', 'two', 'three', 'four'];
    const { answer, seen } = await run({ pages: 2, fingerprints, deletions: { pages: 1, records: 1 } }, result);
    expect(answer).toMatchObject({
      state: 'degraded',
      reason: expect.stringContaining('nothing was deleted') as string,
    });
    expect(seen.deletions).toEqual([]);
    expect(seen.batches).toHaveLength(4);
    expect(seen.reports.at(-1)?.progress.state).toBe('degraded');
  });
});

describe('failures', () => {
  const unreachable = (): never => {
    throw ApplicationFailure.create({ message: 'db:5432 refuses connections.', type: 'source-unreachable' });
  };

  test('a page that stays unreadable fails the run with its reason, and deletes nothing', async () => {
    const { answer, seen } = await run(
      { pages: 3, onPage: ({ page }) => page === 2 && unreachable() },
      async (handle) => failureOf(handle.result()),
    );
    expect(answer).toMatchObject({
      type: 'source-unreachable',
      message: 'db:5432 refuses connections.',
      nonRetryable: true,
    });
    expect(seen.attempts.filter((label) => label === '1:2')).toHaveLength(12);
    expect(seen.reports.at(-1)?.progress).toMatchObject({
      state: 'failed',
      reason: 'db:5432 refuses connections.',
      pages: 1,
    });
    expect(seen.batches).toHaveLength(1);
    expect(seen.deletions).toEqual([]);
  });

  test('a refusal is final at once', async () => {
    const refuse = (): never => {
      throw ApplicationFailure.nonRetryable('10.0.0.1 is not at a public address.', 'source-refused');
    };
    const { answer, seen } = await run({ pages: 1, onPage: refuse }, async (handle) => failureOf(handle.result()));
    expect(answer).toMatchObject({ type: 'source-refused' });
    expect(seen.attempts).toHaveLength(1);
  });

  test('a source that restarts is waited for', async () => {
    const { answer, seen } = await run({ pages: 2, onPage: (_page, earlier) => earlier < 5 && unreachable() }, result);
    expect(answer).toMatchObject({ state: 'completed', pages: 2 });
    expect(seen.attempts).toHaveLength(12);
  });

  test("an outage of Lily's own stores is waited out, however long", async () => {
    const away = (): never => {
      throw ApplicationFailure.create({ message: 'MongoDB is not reachable', type: 'unavailable' });
    };
    const { answer } = await run({ pages: 1, onPage: (_page, earlier) => earlier < 40 && away() }, result);
    expect(answer.state).toBe('completed');
  });

  test('a worker that dies in the middle of a page: the page is read again by another', async () => {
    const stuck = gate();
    const { answer, seen } = await run(
      { pages: 3, onPage: ({ page }, earlier) => page === 2 && earlier === 0 && stuck.passed },
      async (handle, soFar) => {
        await expect.poll(() => soFar.attempts.length, patience).toBe(2);
        await temporal.sleep(20_000);
        const end = await handle.result();
        stuck.open();
        return end;
      },
    );
    expect(answer.state).toBe('completed');
    expect(seen.attempts).toEqual(['1:1', '1:2', '1:2', '1:3']);
    expect(seen.batches).toHaveLength(3);
  });

  test('a batch that cannot be applied fails the run', async () => {
    const break_ = ({ batchId }: { batchId: string }): void => {
      if (batchId.endsWith('1:2')) throw ApplicationFailure.nonRetryable('the batch is not there', 'not-found');
    };
    const { answer, seen } = await run(
      { pages: 6, onBatch: break_, deletions: { pages: 1, records: 1 } },
      async (handle) => failureOf(handle.result()),
    );
    expect(answer).toMatchObject({ message: 'A page could not be applied: the batch is not there' });
    expect(seen.reports.at(-1)?.progress.state).toBe('failed');
    expect(seen.deletions).toEqual([]);
  });
});

describe('a long run', () => {
  test('goes on in new executions without losing or repeating anything', async () => {
    const { answer, seen, request } = await run(
      { pages: 7, deletions: { pages: 3, records: 30 }, fingerprints: ['one', 'two', 'two'] },
      async (handle) => {
        const { runId: firstRunId } = await handle.describe();
        const end = await handle.result();
        const first = await temporal.client.workflow.getHandle(handle.workflowId, firstRunId).describe();
        expect(first.status.name).toBe('CONTINUED_AS_NEW');
        return end;
      },
      { pagesPerExecution: 2 },
    );
    const both = [1, 2].flatMap((pass) => [1, 2, 3, 4, 5, 6, 7].map((page) => `${pass}:${page}`));
    expect(seen.pages).toEqual(both);
    expect(labels(seen, request)).toEqual([...both, 'deleted:2:0', 'deleted:2:1', 'deleted:2:2']);
    expect(answer).toMatchObject({ state: 'completed', pages: 14, counts: { read: 170, created: 170 } });
    const revisions = seen.reports.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });

  test('stays paused over a new execution', async () => {
    const door = gate();
    const onPage = ({ page }: { page: number }) => (page === 2 ? door.passed : undefined);
    const { answer, seen } = await run(
      { pages: 4, onPage },
      async (handle, soFar) => {
        await expect.poll(() => soFar.attempts.length, patience).toBe(2);
        const { runId: firstRunId } = await handle.describe();
        await handle.executeUpdate('pause');
        door.open();
        const latest = temporal.client.workflow.getHandle<typeof ingestSource>(handle.workflowId);
        const continued = async (): Promise<boolean> => (await latest.describe()).runId !== firstRunId;
        await expect.poll(continued, patience).toBe(true);
        expect(await latest.query<RunProgress>('progress')).toMatchObject({ state: 'paused', pages: 2 });
        expect(soFar.attempts).toHaveLength(2);
        await latest.executeUpdate('resume');
        return latest.result();
      },
      { pagesPerExecution: 2 },
    );
    expect(answer).toMatchObject({ state: 'completed', pages: 4 });
    expect(seen.pages).toHaveLength(4);
  });
});
