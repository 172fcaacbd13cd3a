import { changeEvent, type ChangeData } from '#domain/assets/change.ts';
import type { EntityVersion } from '#domain/assets/entity.ts';
import { entityKey, topics } from '#domain/topics.ts';
import { noCounts, transformWorkflowId, type BatchCounts, type BatchRef } from '#domain/transformation/batch.ts';
import type { GroupCommitProducer } from '#platform/kafka/producer.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import type { GraphWriter } from '#platform/neo4j/graph-writer.ts';
import { graphEntities } from './graph-entities.ts';
import { expandEvents, type ExpansionDeps } from './openlineage/expand.ts';
import { eventEntityOf } from './openlineage/refused.ts';
import { settleLineage, type SettleDeps } from './openlineage/settle.ts';
import { normalise, prepare, type PreparedRecord } from './prepare.ts';
import type { BatchRules } from './rules/batch-rules.ts';
import { receiptsFor } from './receipts.ts';
import { storeVersions, type StoreDeps } from './store-versions.ts';
import { BatchWorkspace, type BatchWork } from './workspace.ts';

export interface TransformationDeps {
  rawRecords: Pick<RawRecords, 'load' | 'close'>;
  entities: StoreDeps['entities'];
  deadLetters: Pick<DeadLetters, 'put' | 'ofBatch'>;
  /** The transformation rules that a batch is bound to; undefined when its tenant has none. */
  rules: BatchRules;
  graph: Pick<GraphWriter, 'link'>;
  producer: Pick<GroupCommitProducer, 'send'>;
  openLineage: ExpansionDeps['openLineage'] & SettleDeps['openLineage'];
  lineageRuns: ExpansionDeps['lineageRuns'];
  lineageNodes: SettleDeps['lineageNodes'];
  incidents: SettleDeps['incidents'];
}

export type TransformationActivities = ReturnType<typeof transformationActivities>;

/**
 * The steps of `transformBatch`. Each takes a reference and is idempotent: done twice, or half and then again, it leaves
 * the stores as if it had been done once and gives the same result.
 */
export function transformationActivities(deps: TransformationDeps) {
  const workspace = new BatchWorkspace();

  async function workOn(ref: BatchRef): Promise<BatchWork> {
    const known = workspace.get(ref.batchId);
    if (known !== undefined) return known;
    const work: BatchWork = { records: [], letters: [], waiting: [], read: 0, lineage: noLineage };
    const [raws, rules] = await Promise.all([deps.rawRecords.load(ref), deps.rules(ref)]);
    const events: RawRecordDoc[] = [];
    for (const raw of raws) {
      if (raw.format === 'openlineage') events.push(raw);
      else {
        const prepared = prepare(raw, rules);
        if (prepared.ok) work.records.push(prepared.record);
        else work.letters.push(prepared.letter);
      }
      if (raw.reply_to !== undefined) {
        work.waiting.push({ recordId: raw._id, entityId: raw.entity_id, replyTo: raw.reply_to });
      }
      work.read += 1;
    }
    if (events.length > 0) {
      const { records, letters, ...lineage } = await expandEvents(deps, ref, events, rules);
      work.lineage = lineage;
      work.records.push(...records.map(({ origin, record }) => normalise(origin, record)));
      work.letters.push(...letters);
    }
    workspace.set(ref.batchId, work);
    return work;
  }

  async function versionsOf(ref: BatchRef): Promise<EntityVersion[]> {
    const known = workspace.get(ref.batchId)?.versions;
    return known ?? deps.entities.versionsOfBatch(ref.tenantId, ref.batchId);
  }

  return {
    /** Parses, validates and normalises the batch's raw records; what cannot be processed becomes a dead letter. */
    async transformRecords(ref: BatchRef): Promise<{ read: number; rejected: number }> {
      const work = await workOn(ref);
      await deps.deadLetters.put(ref, work.letters);
      return { read: work.read, rejected: work.letters.length };
    },

    /** Stores what changed: versions and current entities. */
    async storeEntities(ref: BatchRef): Promise<BatchCounts> {
      const work = await workOn(ref);
      const open = await withoutRefused(deps, ref, work.records);
      const { versions, refused } = await storeVersions(deps, ref, open);
      work.versions = versions;
      const refusedEntities = new Set([...work.lineage.refusedEntities, ...refused.map(eventEntityOf)]);
      await settleLineage(deps, ref, versions, { ...work.lineage, refusedEntities });
      const count = (change: EntityVersion['change']): number =>
        versions.filter((version) => version.change === change).length;
      const tried = new Set(open);
      const earlier = work.records.filter((record) => !tried.has(record));
      // Of one event some records may make versions and others be refused.
      const rejected = new Set([
        ...work.letters.map((letter) => letter.record_id),
        ...[...refused, ...earlier].map((record) => record.recordId),
      ]);
      const settled = new Set([...rejected, ...versions.map((version) => version.record_id)]);
      return {
        ...noCounts,
        read: work.read,
        created: count('created'),
        updated: count('updated'),
        deleted: count('deleted'),
        rejected: rejected.size,
        unchanged: work.read - settled.size,
      };
    },

    /** Makes the graph say the same. Answers how many of the changed entities something depends on. */
    async linkGraph(ref: BatchRef): Promise<{ roots: number }> {
      const entities = graphEntities(await versionsOf(ref));
      let roots = 0;
      // Piece by piece: what is linked stays linked when a large batch is not done in time and is tried again.
      for (let start = 0; start < entities.length; start += entitiesPerLink) {
        const { rootIds } = await deps.graph.link(ref.tenantId, entities.slice(start, start + entitiesPerLink));
        roots += rootIds.length;
      }
      return { roots };
    },

    /** Publishes one change event a version, then tells the requests that wait. */
    async publishChanges(ref: BatchRef): Promise<void> {
      const versions = await versionsOf(ref);
      await deps.producer.send(
        topics.changes,
        versions.map((version) => ({
          key: entityKey(ref.tenantId, version.entity_id),
          value: JSON.stringify(changeEvent(ref.tenantId, changeData(version))),
        })),
      );
      const { waiting } = await workOn(ref);
      if (waiting.length === 0) return;
      const [letters, present] = await Promise.all([
        deps.deadLetters.ofBatch(ref.tenantId, ref.batchId),
        deps.entities.getMany(
          ref.tenantId,
          waiting.map((record) => record.entityId),
        ),
      ]);
      await deps.producer.send(
        topics.receipts,
        receiptsFor(ref.batchId, waiting, versions, letters, present).map(({ replyTo, receipt }) => ({
          key: replyTo,
          value: JSON.stringify(receipt),
        })),
      );
    },

    /** Notes what became of the batch, for those who ask about a record. */
    async closeBatch(ref: BatchRef, counts: BatchCounts): Promise<void> {
      await deps.rawRecords.close(ref, counts);
      workspace.drop(ref.batchId);
    },
  };
}

/** Entities that go into the graph in one transaction. A batch of records has hardly more; one of events may have many more. */
const entitiesPerLink = 2_000;

const noLineage: BatchWork['lineage'] = {
  applied: [],
  refusedEntities: new Set(),
  latestRuns: new Map(),
  reports: [],
  eventIds: new Set(),
};

/** Without the records whose `If-Match` an earlier attempt refused: refused once is refused for good. */
async function withoutRefused(
  deps: TransformationDeps,
  ref: BatchRef,
  records: PreparedRecord[],
): Promise<PreparedRecord[]> {
  if (!records.some((record) => record.expectedVersion !== undefined)) return records;
  const letters = await deps.deadLetters.ofBatch(ref.tenantId, ref.batchId);
  const refused = new Set(letters.map((letter) => letter.record_id));
  return records.filter((record) => !refused.has(record.recordId));
}

function changeData(version: EntityVersion): ChangeData {
  return {
    metadata_id: version.entity_id,
    entity_type: version.entity_type,
    qualified_name: version.qualified_name,
    change: version.change,
    version: version.version,
    changed_fields: version.changed_fields,
    timestamp: version.valid_from.toISOString(),
    actor: version.actor,
    record_id: version.record_id,
    workflow_id: transformWorkflowId(version.batch_id),
  };
}
