import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ingestHeaders } from '#domain/topics.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { loadConfig } from '#platform/config.ts';
import type { KafkaRecord } from '#platform/kafka/partition-lane.ts';
import { createLogger } from '#platform/logger.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { intakeRanges } from '#platform/mongo/intake-ranges.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { freshTenant } from '#test/support/pipeline.ts';
import { streamingDoor } from '#workers/streaming-door.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

/** The door with a Temporal that has forgotten everything, as after its retention, and only notes what it is asked to run. */
function door() {
  const executed: string[] = [];
  const temporal = {
    workflow: {
      execute: (_workflow: unknown, { workflowId }: { workflowId: string }) => {
        executed.push(workflowId.split(':').at(-1) ?? '');
        return Promise.resolve(noCounts);
      },
    },
  };
  const handler = streamingDoor({
    temporal: temporal as unknown as Client,
    rawRecords: rawRecords(mongo.db),
    intakeRanges: intakeRanges(mongo.db),
    producer: { send: () => Promise.resolve() },
    logger: createLogger({ logLevel: 'silent', service: 'test' }),
  });
  return { handler, executed };
}

function recordsOf(tenantId: string, from: number, to: number): KafkaRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    offset: from + index,
    key: `${tenantId}|e`,
    value: Buffer.from('{}'),
    headers: { [ingestHeaders.tenant]: tenantId, [ingestHeaders.recordId]: `${tenantId}-${from + index}` },
    timestamp: 0,
  }));
}

it('never runs a batch again that has been closed, though Temporal has forgotten its workflow', async () => {
  const tenantId = freshTenant();
  const { handler, executed } = door();
  await handler.process(7, '0-3', recordsOf(tenantId, 0, 3));
  const ref = { tenantId, batchId: `${tenantId}:lily.ingest:7:0-3`, source: 'lily.ingest' };
  await handler.process(7, '0-3', recordsOf(tenantId, 0, 3));
  await rawRecords(mongo.db).close(ref, noCounts);
  await handler.process(7, '0-3', recordsOf(tenantId, 0, 3));
  expect(executed).toEqual(['0-3', '0-3']);
});

it('runs the batch that records landed in before, when they come again in another', async () => {
  const tenantId = freshTenant();
  const { handler, executed } = door();
  const landed = { tenantId, batchId: `${tenantId}:lily.ingest:7:0-3`, source: 'lily.ingest' };
  const raw = recordsOf(tenantId, 0, 3).map((record) => ({
    recordId: record.headers[ingestHeaders.recordId] ?? '',
    seq: record.offset,
    entityId: 'e',
    receivedAt: new Date(0),
    door: 'rest' as const,
    actor: '',
    body: '{}',
  }));
  await rawRecords(mongo.db).land(landed, raw);
  await handler.process(7, '2-5', recordsOf(tenantId, 2, 5));
  expect(executed).toEqual(['0-3', '2-5']);
});

it('leaves no batch open whose records had all been processed in another, and no closed one changed', async () => {
  const tenantId = freshTenant();
  const { handler, executed } = door();
  const first = { tenantId, batchId: `${tenantId}:lily.ingest:7:0-3`, source: 'lily.ingest' };
  await handler.process(7, '0-3', recordsOf(tenantId, 0, 3));
  await rawRecords(mongo.db).close(first, { ...noCounts, read: 4, created: 4 });
  await handler.process(7, '9-9', recordsOf(tenantId, 2, 2));
  await handler.process(7, '0-3', recordsOf(tenantId, 0, 3));
  expect(executed).toEqual(['0-3']);
  const repeated = await rawRecords(mongo.db).batch(tenantId, `${tenantId}:lily.ingest:7:9-9`);
  expect([repeated?.closed_at instanceof Date, repeated?.counts]).toEqual([true, noCounts]);
  expect((await rawRecords(mongo.db).batch(tenantId, first.batchId))?.counts?.created).toBe(4);
});
