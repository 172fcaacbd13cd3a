import type { DeletionRequest, IngestionActivities, PageRequest } from '#activities/ingestion/index.ts';
import { pageLabel, runBatchId, type RunReport } from '#domain/ingestion/run.ts';
import { noCounts, type BatchRef } from '#domain/transformation/batch.ts';
import { fakeTransformation } from './fake-transformation.ts';

/** A door that stays shut until it is opened. */
export interface Gate {
  open: () => void;
  passed: Promise<void>;
}

export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, passed: promise };
}

export interface FakeSource {
  pages: number;
  /** What the fingerprint is, question after question; the last one stays. */
  fingerprints?: string[];
  /** What could not be read of a page, by its number. */
  incomplete?: Record<number, string[]>;
  deletions?: { pages: number; records: number };
  /** Called before each attempt at a page, with how often it was tried before. What it throws, the attempt throws. */
  onPage?: (request: PageRequest, earlier: number) => unknown;
  /** Called before each attempt at a batch. */
  onBatch?: (ref: BatchRef) => unknown;
}

export const recordsPerPage = 10;

/** The activities of a run, without any store: they note what was asked of them. */
export function fakeIngestion(source: FakeSource) {
  const seen = {
    pages: [] as string[],
    attempts: [] as string[],
    batches: [] as string[],
    deletions: [] as DeletionRequest[],
    reports: [] as RunReport[],
    fingerprints: 0,
    /** The most batches that were under way at once. */
    mostAtOnce: 0,
  };
  const { fingerprints = ['same'] } = source;
  const ingestion: IngestionActivities = {
    async fingerprintSource() {
      const answer = fingerprints[Math.min(seen.fingerprints, fingerprints.length - 1)] ?? 'same';
      seen.fingerprints += 1;
      return answer;
    },
    async landPage(request) {
      const { run, pass, page, cursor, report } = request;
      const label = pageLabel(pass, page, request.again);
      const expected = page === 1 ? undefined : `after ${page - 1}`;
      if (cursor !== expected) throw new Error(`page ${label} was asked for with the cursor ${cursor ?? 'none'}`);
      const earlier = seen.attempts.filter((one) => one === label).length;
      seen.attempts.push(label);
      seen.reports.push(report);
      await source.onPage?.(request, earlier);
      seen.pages.push(label);
      const next = page < source.pages ? { nextCursor: `after ${page}` } : {};
      const reasons = source.incomplete?.[page];
      return {
        batchId: runBatchId(run.tenantId, run.runId, label),
        records: recordsPerPage,
        ...(reasons === undefined ? {} : { incomplete: reasons }),
        ...next,
      };
    },
    async landDeletions(request) {
      seen.deletions.push(request);
      return source.deletions ?? { pages: 0, records: 0 };
    },
    async reportFindings() {
      return 0;
    },
    async saveProgress(_run, report) {
      seen.reports.push(report);
    },
  };
  let underWay = 0;
  const transformation = fakeTransformation().activities;
  const activities = {
    ...transformation,
    ...ingestion,
    async storeEntities(ref: BatchRef) {
      underWay += 1;
      seen.mostAtOnce = Math.max(seen.mostAtOnce, underWay);
      try {
        await source.onBatch?.(ref);
      } finally {
        underWay -= 1;
      }
      seen.batches.push(ref.batchId);
      return { ...noCounts, read: recordsPerPage, created: recordsPerPage };
    },
  };
  return { activities, seen };
}
