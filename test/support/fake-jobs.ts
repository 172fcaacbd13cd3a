import type { ReplayActivities, ReplayPage } from '#activities/transformation/replay/index.ts';
import type { ReprocessingActivities, ReprocessPage } from '#activities/transformation/reprocessing/index.ts';
import { jobBatchId, type JobReport } from '#domain/transformation/job.ts';
import { fakeTransformation } from './fake-transformation.ts';

export interface FakeLetters {
  /** Letters on each page. */
  pages: number[];
  /** Batches that a page takes. */
  waves?: number;
  /** Called before each attempt to claim a page. What it throws, the attempt throws. */
  onPage?: (page: number) => unknown;
  /** Called before each batch is stored. */
  onBatch?: (batchId: string) => unknown;
}

/** The activities of a replay, without any store: they note what was asked of them. */
export function fakeReplay({ pages, waves = 1, onPage, onBatch }: FakeLetters) {
  const seen = {
    claimed: [] as number[],
    batches: [] as string[],
    settled: [] as number[],
    released: 0,
    reports: [] as JobReport[],
  };
  const replay: ReplayActivities = {
    async claimLetters({ page }: ReplayPage) {
      await onPage?.(page);
      seen.claimed.push(page);
      const letters = pages[page - 1] ?? 0;
      return { letters, waves: letters === 0 ? 0 : waves };
    },
    async landWave({ job, page, wave }) {
      return { batchIds: [jobBatchId('replay', job, `${page}-${wave}`)] };
    },
    async settleLetters({ page }) {
      seen.settled.push(page);
      const letters = pages[page - 1] ?? 0;
      return { letters, resolved: letters - 1, rejected: 1, superseded: 0 };
    },
    async releaseLetters() {
      seen.released += 1;
    },
    async saveReplay(_job, report) {
      seen.reports.push(report);
    },
  };
  return { activities: { ...withBatches(seen.batches, onBatch), ...replay }, seen };
}

export interface FakeRawRecords {
  pages: number;
  onPage?: (page: number) => unknown;
}

/** The activities of a reprocessing, without any store. Every other page changes something. */
export function fakeReprocessing({ pages, onPage }: FakeRawRecords) {
  const seen = {
    pages: [] as number[],
    cursors: [] as (string | undefined)[],
    batches: [] as string[],
    reports: [] as JobReport[],
  };
  const reprocessing: ReprocessingActivities = {
    async reprocessPage({ job, page, cursor }: ReprocessPage) {
      await onPage?.(page);
      seen.pages.push(page);
      seen.cursors.push(cursor);
      const changing = page % 2;
      return {
        counts: { records: 10, entities: 5, unchanged: 5 - changing, changing, dropped: 0, rejected: 0, skipped: 0 },
        ...(changing === 1 && { batchId: jobBatchId('reprocess', job, String(page)) }),
        ...(page < pages && { nextCursor: `after ${page}` }),
      };
    },
    async saveReprocessing(_job, report) {
      seen.reports.push(report);
    },
  };
  return { activities: { ...withBatches(seen.batches), ...reprocessing }, seen };
}

function withBatches(batches: string[], onBatch?: (batchId: string) => unknown) {
  const transformation = fakeTransformation().activities;
  return {
    ...transformation,
    async storeEntities(ref: { batchId: string; tenantId: string; source: string }) {
      await onBatch?.(ref.batchId);
      batches.push(ref.batchId);
      return transformation.storeEntities(ref);
    },
  };
}
