import type { DryRunActivities, PreviewPageRequest } from '#activities/ingestion/dry-run.ts';

export interface FakePreview {
  pages: number;
  /** The page that cannot be read as a whole. */
  incompletePage?: number;
  /** Called before each page. What it throws, the attempt throws. */
  onPage?: (request: PreviewPageRequest) => void;
}

/** The activities of a dry run, without any store: they note what was asked of them. */
export function fakePreview({ pages, incompletePage, onPage }: FakePreview) {
  const seen: string[] = [];
  const activities: DryRunActivities = {
    async openForPreview() {
      seen.push('open');
    },
    async previewPage(request) {
      const { page, cursor } = request;
      const expected = page === 1 ? undefined : `after ${page - 1}`;
      if (cursor !== expected) throw new Error(`page ${page} was asked for with the cursor ${cursor ?? 'none'}`);
      onPage?.(request);
      seen.push(`page ${page}`);
      return {
        ...(page < pages ? { nextCursor: `after ${page}` } : {}),
        ...(page === incompletePage ? { incomplete: true as const } : {}),
        progress: { done: page, total: pages },
      };
    },
    async previewDeletions() {
      seen.push('deletions');
    },
    async endDryRun(_dryRun, { state, reason }) {
      seen.push(reason === undefined ? state : `${state}: ${reason}`);
    },
  };
  return { activities, seen };
}
