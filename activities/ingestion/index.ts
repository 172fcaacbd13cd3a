import type { IngestRecord } from '#domain/assets/record.ts';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import { LilyError } from '#domain/errors.ts';
import {
  deletionLabel,
  pageLabel,
  runBatchId,
  type LandedPage,
  type RunRef,
  type RunReport,
} from '#domain/ingestion/run.ts';
import { sourceSchema, type SourceOptions } from '#domain/ingestion/source.ts';
import { defaultSourcePageSize } from '#domain/ingestion/sources/kind.ts';
import { limits } from '#domain/limits.ts';
import type { BatchRef } from '#domain/transformation/batch.ts';
import { metadataId } from '#platform/digest.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { NewRawRecord, RawRecords } from '#platform/mongo/raw-records.ts';
import type { Runs } from '#platform/mongo/runs.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { asActivity } from './as-activity.ts';
import { IdSet } from './id-set.ts';
import { contextFor, type Source, type SourceAccess, type SourceReject } from './source.ts';
import { openSource } from './sources/index.ts';

export interface IngestionDeps extends SourceAccess {
  runs: Pick<Runs, 'get' | 'report'>;
  rawRecords: Pick<RawRecords, 'land' | 'seenInRun'>;
  entities: Pick<Entities, 'idsOfSource'>;
  secretBox: Pick<SecretBox, 'open'>;
  incidents: { report(tenantId: string, report: IncidentReport): Promise<unknown> };
}

export interface PageRequest {
  run: RunRef;
  pass: number;
  page: number;
  /** The attempt that reads the page anew because not all of it could be read; absent when it is read for the first time. */
  again?: number;
  cursor?: string;
  /** Kept before the page is read, so that whoever asks sees how far the run is though no worker answers. */
  report: RunReport;
}

export interface DeletionRequest {
  run: RunRef;
  /** The pass that proved complete. What it has not seen is gone. */
  pass: number;
}

export type IngestionActivities = ReturnType<typeof ingestionActivities>;

/** Reports of incidents that are on their way at once. */
const reportsAtOnce = 16;

/** The steps of `ingestSource`. Each can be done twice, or half and then again, and lands the same records once. */
export function ingestionActivities(deps: IngestionDeps) {
  const optionsOf = async ({ tenantId, runId }: RunRef): Promise<SourceOptions> => {
    const run = await deps.runs.get(tenantId, runId);
    if (run === undefined) throw new LilyError('not-found', 'The run is no longer known.');
    return sourceSchema.parse(JSON.parse(deps.secretBox.open(run.sealed_source, runId)));
  };

  const withSource = async <T>(
    run: RunRef,
    work: (source: Source, options: SourceOptions) => Promise<T>,
  ): Promise<T> => {
    const options = await optionsOf(run);
    const source = openSource(options, contextFor(deps, run.tenantId, run.runId));
    try {
      return await work(source, options);
    } finally {
      await source.close();
    }
  };

  return {
    /** Signs in to the source and takes the fingerprint of its catalogue. */
    async fingerprintSource(run: RunRef): Promise<string> {
      return asActivity(() =>
        withSource(run, async (source) => {
          await source.check();
          return source.fingerprint();
        }),
      );
    },

    /** Reads one page and lands it as a batch. */
    async landPage({ run, pass, page, again, cursor, report }: PageRequest): Promise<LandedPage> {
      return asActivity(() =>
        withSource(run, async (source, options) => {
          const reported = deps.runs.report(run.tenantId, run.runId, report);
          const [read] = await Promise.all([
            source.readPage(cursor, options.page_size ?? defaultSourcePageSize),
            reported,
          ]);
          if (read.nextCursor !== undefined && read.nextCursor === cursor) {
            throw new LilyError('internal', 'The source gives the same page again and again.');
          }
          const label = pageLabel(pass, page, again);
          const records = read.records.map((record): IngestRecord => ({
            op: 'upsert',
            ...record,
            source_id: run.sourceId,
          }));
          const ref = await land(deps, run, label, records, read.rejects);
          const next = read.nextCursor === undefined ? {} : { nextCursor: read.nextCursor };
          return {
            batchId: ref.batchId,
            records: records.length + (read.rejects?.length ?? 0),
            ...incompleteness(read.incomplete),
            ...(read.progress === undefined ? {} : { progress: read.progress }),
            ...next,
          };
        }),
      );
    },

    /**
     * Lands a deletion for every entity of the source that the pass did not see, and that it would have seen had it been there.
     * Answers how many pages they are. A later attempt never answers fewer pages than an earlier one has landed.
     */
    async landDeletions({ run, pass }: DeletionRequest): Promise<{ pages: number; records: number }> {
      return asActivity((progress) =>
        withSource(run, async (source) => {
          const seen = new IdSet();
          for await (const id of deps.rawRecords.seenInRun(run.tenantId, `${run.runId}:${pass}`)) seen.add(id);
          let [pages, records] = [0, 0];
          let page: IngestRecord[] = [];
          const flush = async (): Promise<void> => {
            if (page.length === 0) return;
            progress.pages = Math.max(progress.pages, pages + 1);
            await land(deps, run, deletionLabel(pass, pages), page);
            pages += 1;
            records += page.length;
            page = [];
          };
          for await (const entity of deps.entities.idsOfSource(run.tenantId, run.sourceId)) {
            if (seen.has(entity.entity_id) || !(await source.covers(entity))) continue;
            const { entity_type, qualified_name } = entity;
            page.push({ op: 'delete', entity_type, qualified_name, source_id: run.sourceId });
            if (page.length === defaultSourcePageSize) await flush();
          }
          await flush();
          return { pages: Math.max(pages, progress.pages), records };
        }),
      );
    },

    /** Reports what the source found wrong, and what is well again. Answers how many reports that are. */
    async reportFindings(run: RunRef): Promise<number> {
      return asActivity(() =>
        withSource(run, async (source) => {
          let reports = 0;
          let underWay: Promise<unknown>[] = [];
          for await (const report of source.findings?.() ?? []) {
            underWay.push(deps.incidents.report(run.tenantId, report));
            reports += 1;
            if (underWay.length < reportsAtOnce) continue;
            await Promise.all(underWay);
            underWay = [];
          }
          await Promise.all(underWay);
          return reports;
        }),
      );
    },

    /** Keeps what the workflow reports of the run. */
    async saveProgress(run: RunRef, report: RunReport): Promise<void> {
      return asActivity(() => deps.runs.report(run.tenantId, run.runId, report));
    },
  };
}

/** The reasons, few and short enough to be carried through a workflow and shown to people. */
function incompleteness(reasons: readonly string[] = []): Pick<LandedPage, 'incomplete'> {
  if (reasons.length === 0) return {};
  const { incompleteReasons, reasonLength } = limits;
  return { incomplete: reasons.slice(0, incompleteReasons).map((reason) => reason.slice(0, reasonLength)) };
}

/** Lands records under ids that follow from run, page and entity: landed again, they are the same records. */
async function land(
  deps: IngestionDeps,
  run: RunRef,
  label: string,
  records: IngestRecord[],
  rejects: SourceReject[] = [],
): Promise<BatchRef> {
  const ref: BatchRef = {
    tenantId: run.tenantId,
    batchId: runBatchId(run.tenantId, run.runId, label),
    source: run.sourceType,
  };
  const receivedAt = new Date();
  const common = { receivedAt, door: 'run', actor: run.actor } as const;
  const times = new Map<string, number>();
  const landed = records.map((record, seq): NewRawRecord => {
    const entityId = metadataId(run.tenantId, record.entity_type, record.qualified_name);
    // A file may name one entity in several rows: each is a record of its own.
    const time = (times.get(entityId) ?? 0) + 1;
    times.set(entityId, time);
    const recordId = `${run.runId}:${label}:${entityId}${time === 1 ? '' : `:${time}`}`;
    return { recordId, seq, entityId, ...common, body: JSON.stringify(record) };
  });
  const refused = rejects.map(({ detail, body }, index): NewRawRecord => {
    const recordId = `${run.runId}:${label}:rejected:${index}`;
    const fault = { reason: 'invalid-record', detail } as const;
    return { recordId, seq: records.length + index, entityId: '', ...common, body, fault };
  });
  await deps.rawRecords.land(ref, [...landed, ...refused]);
  return ref;
}
