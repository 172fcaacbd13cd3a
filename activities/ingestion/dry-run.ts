import type { IngestRecord } from '#domain/assets/record.ts';
import { LilyError } from '#domain/errors.ts';
import { type DryRunFinding, type DryRunPage, type DryRunRef, type PreviewedPage } from '#domain/ingestion/dry-run.ts';
import { sourceSchema, type SourceOptions } from '#domain/ingestion/source.ts';
import { defaultSourcePageSize } from '#domain/ingestion/sources/kind.ts';
import { limits } from '#domain/limits.ts';
import { noCounts, type BatchCounts } from '#domain/transformation/batch.ts';
import type { PreviewRecords } from '#domain/transformation/preview.ts';
import { metadataId } from '#platform/digest.ts';
import type { DryRunChange, DryRuns, TouchedEntity } from '#platform/mongo/dry-runs.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { asActivity } from './as-activity.ts';
import { IdSet } from './id-set.ts';
import { contextFor, type Source, type SourceAccess, type SourcePage } from './source.ts';
import { openSource } from './sources/index.ts';

export interface DryRunDeps extends SourceAccess {
  dryRuns: Pick<DryRuns, 'get' | 'end' | 'advance' | 'putPage' | 'before' | 'seen'>;
  entities: Pick<Entities, 'idsOfSource'>;
  preview: PreviewRecords;
  secretBox: Pick<SecretBox, 'open'>;
}

export interface PreviewPageRequest {
  dryRun: DryRunRef;
  page: number;
  cursor?: string;
}

export type DryRunActivities = ReturnType<typeof dryRunActivities>;

/** Behind every page that a source can have. */
const deletionsPage = Number.MAX_SAFE_INTEGER;

/** The steps of `previewSource`. Each can be done again, and then takes the place of what it did before. */
export function dryRunActivities(deps: DryRunDeps) {
  const withSource = async <T>(
    { tenantId, dryRunId }: DryRunRef,
    work: (source: Source, options: SourceOptions) => Promise<T>,
  ): Promise<T> => {
    const dryRun = await deps.dryRuns.get(tenantId, dryRunId);
    if (dryRun === undefined) throw new LilyError('not-found', 'The dry run is no longer known.');
    const options = sourceSchema.parse(JSON.parse(deps.secretBox.open(dryRun.sealed_source, dryRunId)));
    const source = openSource(options, contextFor(deps, tenantId, dryRunId));
    try {
      return await work(source, options);
    } finally {
      await source.close();
    }
  };

  return {
    /** Makes sure that the source can be read. */
    async openForPreview(dryRun: DryRunRef): Promise<void> {
      return asActivity(() => withSource(dryRun, (source) => source.check()));
    },

    /** Reads one page and notes what it would do. */
    async previewPage({ dryRun, page, cursor }: PreviewPageRequest): Promise<PreviewedPage> {
      return asActivity(() =>
        withSource(dryRun, async (source, options) => {
          const read = await source.readPage(cursor, options.page_size ?? defaultSourcePageSize);
          if (read.nextCursor !== undefined && read.nextCursor === cursor) {
            throw new LilyError('internal', 'The source gives the same page again and again.');
          }
          const { tenantId, dryRunId } = dryRun;
          const { found, touched } = await previewOf(deps, dryRun, page, read);
          await deps.dryRuns.putPage(tenantId, dryRunId, page, found, touched);
          if (read.progress !== undefined) await deps.dryRuns.advance(tenantId, dryRunId, read.progress);
          return {
            ...(read.nextCursor === undefined ? {} : { nextCursor: read.nextCursor }),
            ...(read.progress === undefined ? {} : { progress: read.progress }),
            ...(read.incomplete !== undefined && read.incomplete.length > 0 ? { incomplete: true as const } : {}),
          };
        }),
      );
    },

    /** Notes what would be deleted, because a complete reading does not list it. */
    async previewDeletions(dryRun: DryRunRef): Promise<void> {
      return asActivity(() =>
        withSource(dryRun, async (source) => {
          const { tenantId, dryRunId, sourceId } = dryRun;
          const seen = new IdSet();
          for await (const id of deps.dryRuns.seen(tenantId, dryRunId)) seen.add(id);
          const sample = new Sample();
          for await (const entity of deps.entities.idsOfSource(tenantId, sourceId)) {
            if (seen.has(entity.entity_id) || !(await source.covers(entity))) continue;
            const { entity_id: metadata_id, entity_type, qualified_name } = entity;
            sample.add({ outcome: 'deleted', metadata_id, entity_type, qualified_name });
          }
          await deps.dryRuns.putPage(tenantId, dryRunId, deletionsPage, sample.page(), []);
        }),
      );
    },

    async endDryRun({ tenantId, dryRunId }: DryRunRef, change: DryRunChange): Promise<void> {
      return asActivity(() => deps.dryRuns.end(tenantId, dryRunId, change));
    },
  };
}

/** What the page's records would do, one after the other and after those of earlier pages. */
async function previewOf(
  deps: DryRunDeps,
  { tenantId, dryRunId, sourceId, actor }: DryRunRef,
  page: number,
  { records: read, rejects = [], places = [] }: SourcePage,
): Promise<{ found: DryRunPage; touched: TouchedEntity[] }> {
  const records = read.map((record, index) => ({
    recordId: String(index),
    record: { op: 'upsert', ...record, source_id: sourceId } satisfies IngestRecord,
  }));
  const ids = records.map(({ record }) => metadataId(tenantId, record.entity_type, record.qualified_name));
  const earlier = await deps.dryRuns.before(tenantId, dryRunId, page, [...new Set(ids)]);
  const previewed = await deps.preview(tenantId, actor, records, earlier);

  const sample = new Sample();
  for (const { detail } of rejects) sample.add({ outcome: 'rejected', detail });
  const touched = new Map<string, TouchedEntity>();
  for (const result of previewed) {
    const index = Number(result.recordId);
    const { entity_type, qualified_name } = read[index] ?? { entity_type: '', qualified_name: '' };
    const metadata_id = ids[index] ?? '';
    const place = places[index];
    sample.add({
      outcome: result.outcome,
      ...(place === undefined ? {} : { place }),
      metadata_id,
      entity_type,
      qualified_name,
      ...(result.outcome === 'updated' ? { changed_fields: result.changedFields } : {}),
      ...(result.outcome === 'rejected' ? { detail: result.detail } : {}),
    });
    const before = touched.get(metadata_id);
    const changes = result.outcome !== 'rejected' && result.outcome !== 'unchanged';
    touched.set(metadata_id, { entityId: metadata_id, after: changes ? result.after : before?.after });
  }
  return { found: sample.page(), touched: [...touched.values()] };
}

/** Counts all findings, and keeps the first of each outcome. */
class Sample {
  readonly #counts: BatchCounts = { ...noCounts };
  readonly #findings: DryRunFinding[] = [];

  add(finding: DryRunFinding): void {
    this.#counts.read += 1;
    this.#counts[finding.outcome] += 1;
    if (this.#counts[finding.outcome] <= limits.dryRunFindings) this.#findings.push(finding);
  }

  page(): DryRunPage {
    return { counts: this.#counts, findings: this.#findings };
  }
}
