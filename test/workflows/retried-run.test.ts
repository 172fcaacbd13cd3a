import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resumptionOf, runBatchId, runWorkflowId, type RunProgress, type RunReport } from '#domain/ingestion/run.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeIngestion, recordsPerPage, type FakeSource } from '#test/support/fake-ingestion.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { ingestSource } from '#workflows/ingestion/ingest-source.ts';

let temporal: TimeSkippingTemporal;
beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

const tenantId = 'acme';

/** One run of a fake source, attempt after attempt, each from the last report of the one before as the API does it. */
function aRun() {
  const runId = randomUUID();
  let last: RunReport | undefined;
  let attempt = 0;
  return {
    async attempt(source: FakeSource) {
      attempt += 1;
      const { activities, seen } = fakeIngestion(source);
      const resume = last && resumptionOf(last.progress, last.revision + 1, last.position);
      const end = await temporal.withWorkers(activities, async () => {
        const handle = await temporal.client.workflow.start<typeof ingestSource>('ingestSource', {
          workflowId: runWorkflowId(tenantId, 'fake:source', runId, attempt),
          taskQueue: taskQueues.ingestion,
          args: [
            {
              tenantId,
              runId,
              sourceId: 'fake:source',
              sourceType: 'postgres',
              actor: 'ada',
              attempt,
              ...(resume === undefined ? {} : { resume }),
            },
          ],
        });
        return handle.result().catch((error: unknown): RunProgress => {
          if (!(error instanceof WorkflowFailedError)) throw error;
          return seen.reports.at(-1)?.progress as RunProgress;
        });
      });
      last = seen.reports.at(-1);
      expect(last?.progress).toEqual(end);
      const labels = seen.batches.map((id) => id.slice(runBatchId(tenantId, runId, '').length)).sort();
      return { end, seen, labels, revision: last?.revision ?? 0 };
    },
  };
}

const failsAt =
  (wanted: number) =>
  ({ page }: { page: number }): void => {
    if (page === wanted) throw ApplicationFailure.nonRetryable('db:5432 does not let ada in.', 'source-refused');
  };

describe('a run that failed', () => {
  test('goes on at the page where it stopped, with the counts that it had, and deletes what is gone', async () => {
    const run = aRun();
    const first = await run.attempt({ pages: 5, onPage: failsAt(3) });
    expect(first.end).toMatchObject({
      state: 'failed',
      pages: 2,
      cursor: 'after 2',
      counts: { read: 20, created: 20 },
    });
    const second = await run.attempt({ pages: 5, onPage: failsAt(4), deletions: { pages: 1, records: 10 } });
    expect(second.end).toMatchObject({ state: 'failed', pages: 3, counts: { read: 30, created: 30 } });
    const third = await run.attempt({ pages: 5, deletions: { pages: 1, records: 10 } });
    expect(third.seen.pages).toEqual(['1:4', '1:5']);
    expect(third.labels).toEqual(['1:4', '1:5', 'deleted:1:0']);
    expect(third.end).toMatchObject({ state: 'completed', pages: 5, counts: { read: 60, created: 60 } });
    expect(third.end.reason).toBeUndefined();
    expect([first.revision < second.revision, second.revision < third.revision]).toEqual([true, true]);
  });

  test('before its first page begins anew', async () => {
    const run = aRun();
    const first = await run.attempt({ pages: 2, onPage: failsAt(1) });
    expect(first.end).toMatchObject({ state: 'failed', pages: 0 });
    const second = await run.attempt({ pages: 2 });
    expect(second.seen.pages).toEqual(['1:1', '1:2']);
    expect(second.end.state).toBe('completed');
  });

  test('because a batch could not be applied applies that batch first, and counts it once', async () => {
    const run = aRun();
    const breaks = ({ batchId }: { batchId: string }): void => {
      if (batchId.endsWith(':1:2')) throw ApplicationFailure.nonRetryable('the batch is not there', 'not-found');
    };
    const first = await run.attempt({ pages: 2, onBatch: breaks });
    expect(first.end).toMatchObject({ state: 'failed', counts: { created: 10 } });
    const second = await run.attempt({ pages: 2 });
    expect(second.seen.pages).toEqual([]);
    expect(second.labels).toEqual(['1:2']);
    expect(second.end).toMatchObject({ state: 'completed', pages: 2, counts: { read: 20, created: 20 } });
  });

  test('reads everything once more if the source has changed meanwhile, and judges deletions by that', async () => {
    const run = aRun();
    await run.attempt({ pages: 3, onPage: failsAt(2), fingerprints: ['one'] });
    const second = await run.attempt({ pages: 3, fingerprints: ['two'], deletions: { pages: 1, records: 10 } });
    expect(second.seen.pages).toEqual(['1:2', '1:3', '2:1', '2:2', '2:3']);
    expect(second.seen.deletions.map(({ pass }) => pass)).toEqual([2]);
    expect(second.labels).toContain('deleted:2:0');
    expect(second.end.state).toBe('completed');
  });

  test('while it deleted goes on deleting, unless the source has changed: then it looks again first', async () => {
    const breaks = ({ batchId }: { batchId: string }): void => {
      if (batchId.endsWith('deleted:1:0')) throw ApplicationFailure.nonRetryable('no such batch', 'not-found');
    };
    const broken = { pages: 1, deletions: { pages: 6, records: 60 }, onBatch: breaks };
    const same = aRun();
    const stopped = await same.attempt(broken);
    expect(stopped.end.state).toBe('failed');
    const on = await same.attempt({ pages: 1 });
    expect(on.seen.pages).toEqual([]);
    expect(on.seen.deletions).toEqual([]);
    expect(new Set([...stopped.labels, ...on.labels])).toEqual(
      new Set(['1:1', ...[0, 1, 2, 3, 4, 5].map((page) => `deleted:1:${page}`)]),
    );
    expect(on.end).toMatchObject({ state: 'completed', counts: { read: 70, created: 70 } });

    const changed = aRun();
    await changed.attempt(broken);
    const again = await changed.attempt({ pages: 1, fingerprints: ['another'], deletions: { pages: 1, records: 10 } });
    expect(again.seen.pages).toEqual(['2:1']);
    // What was half done is done to its end; of the rest, only what the new pass did not see is deleted.
    expect(again.labels).toEqual(['2:1', 'deleted:1:0', 'deleted:2:0']);
  });
});

describe('a source that cannot be read as a whole', () => {
  const incomplete = { 2: ['schema hr: permission denied'] };

  test('makes the run degraded with the reasons, and nothing is deleted', async () => {
    const { end, seen } = await aRun().attempt({ pages: 3, incomplete, deletions: { pages: 1, records: 10 } });
    expect(end).toMatchObject({ state: 'degraded', pages: 3, incomplete: ['schema hr: permission denied'] });
    expect(end.reason).toContain('schema hr: permission denied');
    expect(end.counts).toMatchObject({ read: 30, created: 30 });
    expect(seen.deletions).toEqual([]);
  });

  test('is read again only where something was missing, and then what is gone is deleted', async () => {
    const run = aRun();
    await run.attempt({ pages: 3, incomplete });
    const still = await run.attempt({ pages: 3, incomplete });
    expect(still.seen.pages).toEqual(['1:2~2']);
    expect(still.end).toMatchObject({ state: 'degraded', incomplete: ['schema hr: permission denied'] });
    const mended = await run.attempt({ pages: 3, deletions: { pages: 1, records: recordsPerPage } });
    expect(mended.seen.pages).toEqual(['1:2~3']);
    expect(mended.seen.deletions.map(({ pass }) => pass)).toEqual([1]);
    expect(mended.end.state).toBe('completed');
    expect(mended.end.incomplete).toBeUndefined();
  });

  test('with more reasons than are kept is read as a whole by the next attempt', async () => {
    const pages = 25;
    const everywhere = Object.fromEntries(Array.from({ length: pages }, (_, page) => [page + 1, [`page ${page + 1}`]]));
    const run = aRun();
    const first = await run.attempt({ pages, incomplete: everywhere });
    expect(first.end.incomplete).toHaveLength(20);
    expect(first.end.reason).toContain('at least 24 more');
    const second = await run.attempt({ pages });
    expect(second.seen.pages).toHaveLength(pages);
    expect(second.end.state).toBe('completed');
  });

  test('and changes while it is read is judged by the pass that was not disturbed', async () => {
    const fingerprints = ['one', 'two', 'two'];
    let passes = 0;
    const { end, seen } = await aRun().attempt({
      pages: 2,
      fingerprints,
      incomplete,
      onPage: ({ page }) => {
        if (page === 1) passes += 1;
      },
    });
    expect(passes).toBe(2);
    expect(seen.pages).toEqual(['1:1', '1:2', '2:1', '2:2']);
    expect(end).toMatchObject({ state: 'degraded', incomplete: ['schema hr: permission denied'] });
  });
});
