import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { tenantIdSchema } from '#domain/assets/record.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { ingestHeaders, topics } from '#domain/topics.ts';
import { recordFormat, transformWorkflowId, type BatchRef, type Door } from '#domain/transformation/batch.ts';
import { parseFaultHeader } from '#domain/transformation/dead-letter.ts';
import type { BatchHandler, KafkaRecord } from '#platform/kafka/partition-lane.ts';
import type { GroupCommitProducer } from '#platform/kafka/producer.ts';
import type { IntakeRanges } from '#platform/mongo/intake-ranges.ts';
import type { NewRawRecord, RawRecords } from '#platform/mongo/raw-records.ts';
import type { Logger } from '#platform/logger.ts';
import { transformBatch } from '#workflows/transformation/transform-batch.ts';

export interface StreamingDoorDeps {
  temporal: Client;
  rawRecords: Pick<RawRecords, 'land' | 'openBatchesOf' | 'closeEmpty'>;
  intakeRanges: IntakeRanges;
  producer: Pick<GroupCommitProducer, 'send'>;
  logger: Logger;
}

/**
 * The streaming door: takes a batch of one partition of `lily.ingest`, lands its raw records, runs `transformBatch` for each
 * tenant in it and waits. Only then are the offsets committed. After a crash anywhere the same batch is cut again, and its
 * workflow id finds the workflow that is running or has run: nothing is lost, nothing is applied twice.
 */
export function streamingDoor(deps: StreamingDoorDeps): BatchHandler {
  return {
    cut: (partition, first, last) =>
      deps.intakeRanges.take({
        topic: topics.ingest,
        partition,
        from: first.offset,
        to: last.offset,
        firstRecordId: recordIdOf(first),
      }),

    async process(partition, name, records) {
      const byTenant = Map.groupBy(records, (record) => tenantOf(record));
      await Promise.all(
        [...byTenant].map(([tenantId, own]) =>
          tenantId === undefined
            ? refuse(deps, own)
            : processBatch(
                deps,
                { tenantId, batchId: `${tenantId}:${topics.ingest}:${partition}:${name}`, source: topics.ingest },
                own,
              ),
        ),
      );
    },
  };
}

async function processBatch(deps: StreamingDoorDeps, ref: BatchRef, records: KafkaRecord[]): Promise<void> {
  const raw = records.map(rawRecord);
  const { duplicates } = await deps.rawRecords.land(ref, raw);
  if (duplicates === 0) {
    await runTransformBatch(deps.temporal, ref, records.length);
    return;
  }
  // Delivered before: what is closed is done for good, however long ago its workflow ended. What is not goes on.
  const ids = raw.map((record) => record.recordId);
  const open = await deps.rawRecords.openBatchesOf(ref.tenantId, ids);
  for (const batch of open) await runTransformBatch(deps.temporal, batch, records.length);
  if (!open.some(({ batchId }) => batchId === ref.batchId)) await deps.rawRecords.closeEmpty(ref);
}

/** Runs the workflow, or waits for the one that this batch has already. One that was terminated is run anew. */
async function runTransformBatch(temporal: Client, ref: BatchRef, size: number): Promise<void> {
  const workflowId = transformWorkflowId(ref.batchId);
  try {
    await temporal.workflow.execute(transformBatch, {
      workflowId,
      taskQueue: taskQueues.pipeline,
      args: [ref],
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      requestEagerStart: true,
      typedSearchAttributes: typedLabels({
        tenant: ref.tenantId,
        job: 'transformBatch',
        source: ref.source,
        subject: ref.batchId,
      }),
      staticSummary: `${size} records of tenant ${ref.tenantId} from ${ref.source}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    await temporal.workflow.getHandle(workflowId).result();
  }
}

function tenantOf(record: KafkaRecord): string | undefined {
  const tenant = record.headers[ingestHeaders.tenant];
  return tenantIdSchema.safeParse(tenant).success ? tenant : undefined;
}

/** A record that names no tenant cannot enter the pipeline: it waits in the dead-letter topic, with the reason. */
async function refuse(deps: StreamingDoorDeps, records: KafkaRecord[]): Promise<void> {
  deps.logger.warn({ count: records.length }, 'records without a valid tenant go to the dead-letter topic');
  await deps.producer.send(
    topics.deadLetter,
    records.map((record) => ({
      key: record.key,
      value: record.value.toString(),
      headers: { ...record.headers, 'lily-reason': 'no-tenant', 'lily-offset': String(record.offset) },
    })),
  );
}

/** Whoever writes to the topic without an id of its own gets one from the key and the moment. */
function recordIdOf(record: KafkaRecord): string {
  return record.headers[ingestHeaders.recordId] ?? `${record.key}:${record.timestamp}:${record.offset}`;
}

function rawRecord(record: KafkaRecord): NewRawRecord {
  const { headers } = record;
  const received = Date.parse(headers[ingestHeaders.receivedAt] ?? '');
  const replyTo = headers[ingestHeaders.replyTo];
  const format = recordFormat(headers[ingestHeaders.format]);
  const fault = parseFaultHeader(headers[ingestHeaders.fault] ?? '');
  return {
    recordId: recordIdOf(record),
    seq: record.offset,
    entityId: record.key.slice(record.key.indexOf('|') + 1),
    receivedAt: new Date(Number.isNaN(received) ? record.timestamp : received),
    door: (headers[ingestHeaders.door] ?? 'stream') as Door,
    actor: headers[ingestHeaders.actor] ?? '',
    body: record.value.toString(),
    ...(format !== undefined && { format }),
    ...(replyTo !== undefined && { replyTo }),
    ...(fault !== undefined && { fault }),
  };
}
