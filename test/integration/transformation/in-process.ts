import { MockActivityEnvironment } from '@temporalio/testing';
import type { Db } from 'mongodb';
import { transformationActivities } from '#activities/transformation/index.ts';
import { replayActivities, type ReplayCounts } from '#activities/transformation/replay/index.ts';
import {
  reprocessingActivities,
  type ReprocessCounts,
  type ReprocessedPage,
} from '#activities/transformation/reprocessing/index.ts';
import { batchRules, rulesOf } from '#activities/transformation/rules/batch-rules.ts';
import type { IngestRecord } from '#domain/assets/record.ts';
import type { BatchCounts, BatchRef } from '#domain/transformation/batch.ts';
import type { RawRange } from '#domain/transformation/job.ts';
import { ruleSetSchema } from '#domain/transformation/rules/schema.ts';
import { metadataId, newRecordId } from '#platform/digest.ts';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import { entities } from '#platform/mongo/entities.ts';
import { lineageNodes } from '#platform/mongo/lineage-nodes.ts';
import { lineageRuns } from '#platform/mongo/lineage-runs.ts';
import { openLineageState } from '#platform/mongo/openlineage-state.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { ruleSets } from '#platform/mongo/rule-sets.ts';
import { transformationJobs, type ReplayTask } from '#platform/mongo/transformation-jobs.ts';
import { ruleCompiler } from '#platform/rule-compiler.ts';

/** A body that arrives: a record, or a text that may be none. */
export type Arrival = IngestRecord | string;

export const dawn = Date.UTC(2026, 0, 1);

/** The pipeline's steps on real MongoDB, one after the other in this process: no Temporal, no Kafka, no graph. */
export function pipelineOn(db: Db) {
  const stores = {
    rawRecords: rawRecords(db),
    entities: entities(db),
    deadLetters: deadLetters(db),
    jobs: transformationJobs(db),
    ruleSets: ruleSets(db),
  };
  const rules = rulesOf({ ruleSets: stores.ruleSets, compile: ruleCompiler(Buffer.alloc(32, 1)) });
  const deps = {
    ...stores,
    rules: batchRules(stores.rawRecords, rules),
    graph: { link: () => Promise.resolve({ rootIds: [] }) },
    producer: { send: () => Promise.resolve() },
    openLineage: openLineageState(db),
    lineageRuns: lineageRuns(db),
    lineageNodes: lineageNodes(db),
    incidents: { report: () => Promise.resolve() },
  };
  const replay = replayActivities(stores);
  const reprocessing = reprocessingActivities({ ...stores, rules });
  const environment = new MockActivityEnvironment();

  const apply = async (ref: BatchRef): Promise<BatchCounts> => {
    // Anew each time, as on a worker that remembers nothing.
    const steps = transformationActivities(deps);
    await steps.transformRecords(ref);
    const counts = await steps.storeEntities(ref);
    await steps.closeBatch(ref, counts);
    return counts;
  };

  return {
    ...stores,
    apply,
    replaySteps: replay,

    /** Lands bodies as one batch that arrived at a moment, one millisecond apart, and applies it. */
    async arrive(tenantId: string, bodies: readonly Arrival[], at = dawn): Promise<BatchCounts> {
      const batchId = `${tenantId}:test:${newRecordId()}`;
      const ref = { tenantId, batchId, source: 'test' };
      const records = bodies.map((body, index) => ({
        recordId: `${tenantId}-${at + index}`,
        seq: index,
        entityId: typeof body === 'string' ? 'none' : metadataId(tenantId, body.entity_type, body.qualified_name),
        receivedAt: new Date(at + index),
        door: 'rest' as const,
        actor: 'ada',
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }));
      await stores.rawRecords.land(ref, records);
      return apply(ref);
    },

    /** Drafts rules and switches them on. */
    async activate(tenantId: string, list: object[]): Promise<number> {
      const definition = ruleSetSchema.parse({ rules: list.map((rule, index) => ({ name: `r${index}`, ...rule })) });
      const { version } = await stores.ruleSets.add(tenantId, definition, 'ada');
      await stores.ruleSets.activate(tenantId, version, 'ada');
      return version;
    },

    /** What `replayDeadLetters` does. */
    async replay(tenantId: string, task: Partial<ReplayTask> = {}): Promise<ReplayCounts> {
      const job = { tenantId, jobId: newRecordId() };
      await stores.jobs.create({
        _id: job.jobId,
        tenant_id: tenantId,
        kind: 'replay',
        replay: { filter: {}, force: false, ...task },
        workflow_id: 'none',
        actor: 'grace',
      });
      const total: ReplayCounts = { letters: 0, resolved: 0, rejected: 0, superseded: 0 };
      for (let page = 1; ; page += 1) {
        const { letters, waves } = await replay.claimLetters({ job, page });
        if (letters === 0) return total;
        for (let wave = 0; wave < waves;) {
          const { batchIds, again } = await replay.landWave({ job, page, wave });
          for (const batchId of batchIds) await apply({ tenantId, batchId, source: 'replay' });
          if (again !== true) wave += 1;
        }
        const counts = await replay.settleLetters({ job, page });
        for (const key of Object.keys(total) as (keyof ReplayCounts)[]) total[key] += counts[key];
      }
    },

    /** What `reprocessRawRecords` does. */
    async reprocess(
      tenantId: string,
      range: Partial<RawRange> & { dry_run?: boolean } = {},
    ): Promise<{ counts: ReprocessCounts; applied: BatchCounts[]; jobId: string }> {
      const job = { tenantId, jobId: newRecordId() };
      const { dry_run = false, ...given } = range;
      const all = { from: new Date(0).toISOString(), to: new Date('2100-01-01').toISOString(), filter: {} };
      await stores.jobs.create({
        _id: job.jobId,
        tenant_id: tenantId,
        kind: 'reprocess',
        reprocess: { ...all, ...given, dry_run },
        workflow_id: 'none',
        actor: 'grace',
      });
      const counts: ReprocessCounts = {
        records: 0,
        entities: 0,
        unchanged: 0,
        changing: 0,
        dropped: 0,
        rejected: 0,
        skipped: 0,
      };
      const applied: BatchCounts[] = [];
      let cursor: string | undefined;
      for (let page = 1; ; page += 1) {
        const input = { job, page, ...(cursor === undefined ? {} : { cursor }) };
        const done = await environment.run<[], ReprocessedPage, () => Promise<ReprocessedPage>>(() =>
          reprocessing.reprocessPage(input),
        );
        for (const key of Object.keys(counts) as (keyof ReprocessCounts)[]) counts[key] += done.counts[key];
        if (done.batchId !== undefined)
          applied.push(await apply({ tenantId, batchId: done.batchId, source: 'reprocess' }));
        cursor = done.nextCursor;
        if (cursor === undefined) return { counts, applied, jobId: job.jobId };
      }
    },

    /** What is stored of the tenant's entities, by type and name: content only. */
    async contents(tenantId: string): Promise<Record<string, unknown>> {
      const found = await stores.entities.list(tenantId, { limit: 1_000 });
      return Object.fromEntries(
        found.map(({ entity_type, qualified_name, attributes, parent, upstream, relationships }) => [
          `${entity_type} ${qualified_name}`,
          {
            attributes,
            parent: parent?.qualified_name,
            upstream: upstream.map((ref) => ref.qualified_name ?? '').sort((a, b) => a.localeCompare(b)),
            relationships: relationships.length,
          },
        ]),
      );
    },

    async versionCount(tenantId: string): Promise<number> {
      return db.collection('entity_versions').countDocuments({ tenant_id: tenantId });
    },
  };
}
