import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { IngestRecord } from '#domain/assets/record.ts';
import { entityKey, ingestHeaders, topics } from '#domain/topics.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId, newRecordId } from '#platform/digest.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { GroupCommitProducer, type OutgoingMessage } from '#platform/kafka/producer.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import { entities } from '#platform/mongo/entities.ts';
import { records } from '#platform/mongo/records.ts';
import { freshTenant, table } from '#test/support/pipeline.ts';

const config = loadConfig(process.env);
const kafka = createKafka(config.kafka, 'lily-test');
const producer = new GroupCommitProducer(kafka);
let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(config.mongo);
  await producer.connect();
});
afterAll(async () => {
  await producer.close();
  await mongo.client.close();
});

interface Sent {
  recordId: string;
  entityId: string;
  message: OutgoingMessage;
}

/** A message as the API makes it; `value` may be anything. */
function messageOf(tenantId: string, record: IngestRecord, value = JSON.stringify(record)): Sent {
  const entityId = metadataId(tenantId, record.entity_type, record.qualified_name);
  const recordId = newRecordId();
  return {
    recordId,
    entityId,
    message: {
      key: entityKey(tenantId, entityId),
      value,
      headers: {
        [ingestHeaders.tenant]: tenantId,
        [ingestHeaders.recordId]: recordId,
        [ingestHeaders.receivedAt]: new Date().toISOString(),
        [ingestHeaders.actor]: 'ada',
        [ingestHeaders.door]: 'stream',
      },
    },
  };
}

async function send(...sent: Sent[]): Promise<void> {
  await producer.send(
    topics.ingest,
    sent.map((one) => one.message),
  );
}

/** Waits until the record has come to an end, and says which. */
async function fateOf(tenantId: string, { recordId }: Sent): Promise<string> {
  return vi.waitFor(
    async () => {
      const status = await records(mongo.db).recordStatus(tenantId, recordId);
      if (status === undefined || status.state === 'pending') throw new Error('not yet');
      return status.state;
    },
    { timeout: 20_000, interval: 50 },
  );
}

it('keeps what it cannot process as a dead letter with the reason, and goes on behind it', async () => {
  const tenantId = freshTenant();
  const malformed = messageOf(tenantId, table('a', ''), '{"op":');
  const invalid = messageOf(tenantId, table('b', ''), JSON.stringify({ op: 'upsert', entity_type: 'table' }));
  const nul = messageOf(tenantId, table('c', ''), '\u0000\u0000');
  const good = messageOf(tenantId, table('d', 'fine'));
  await send(malformed, invalid, nul, good);
  expect(await fateOf(tenantId, good)).toBe('applied');
  for (const bad of [malformed, invalid, nul]) expect(await fateOf(tenantId, bad)).toBe('rejected');
  const letter = await deadLetters(mongo.db).get(tenantId, invalid.recordId);
  expect(letter?.reason).toBe('invalid-record');
  expect(letter?.detail).toContain('qualified_name');
});

it('applies a record once that the producer sent twice, even after another change', async () => {
  const tenantId = freshTenant();
  const first = messageOf(tenantId, table('a', 'one'));
  const second = messageOf(tenantId, table('a', 'two'));
  await send(first, second);
  await fateOf(tenantId, second);
  const marker = messageOf(tenantId, table('a', 'two'));
  await send(first, marker);
  expect(await fateOf(tenantId, marker)).toBe('unchanged');
  const history = await entities(mongo.db).versions(tenantId, first.entityId, { limit: 10 });
  expect(history.map((one) => one.attributes.description)).toEqual(['two', 'one']);
});

it('keeps tenants apart that share a partition and a name', async () => {
  const tenants = [freshTenant(), freshTenant(), freshTenant()];
  const sent = tenants.flatMap((tenantId) =>
    ['x', 'y', 'z'].map((name) => ({ tenantId, sent: messageOf(tenantId, table(name, `${tenantId} ${name}`)) })),
  );
  await send(...sent.map((one) => one.sent));
  for (const { tenantId, sent: one } of sent) {
    expect(await fateOf(tenantId, one)).toBe('applied');
    const entity = await entities(mongo.db).get(tenantId, one.entityId);
    expect(String(entity?.attributes.description)).toMatch(tenantId);
    for (const other of tenants.filter((id) => id !== tenantId)) {
      expect(await entities(mongo.db).get(other, one.entityId)).toBeUndefined();
    }
  }
});

it('puts a record that names no tenant on the dead-letter topic before it goes on', async () => {
  const tenantId = freshTenant();
  const value = `from nobody, ${tenantId}`;
  const seen: { value: string; reason: string | undefined }[] = [];
  const consumer = kafka.consumer({ groupId: `test-${tenantId}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.deadLetter], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const reason = message.headers?.['lily-reason']?.toString();
      seen.push({ value: message.value?.toString() ?? '', reason });
    },
  });
  const marker = messageOf(tenantId, table('a', 'behind it'));
  const { key } = marker.message;
  await producer.send(topics.ingest, [
    { key, value, headers: {} },
    { key, value, headers: { [ingestHeaders.tenant]: '../Acme' } },
    marker.message,
  ]);
  expect(await fateOf(tenantId, marker)).toBe('applied');
  await vi.waitFor(
    () =>
      expect(seen.filter((one) => one.value === value).map((one) => one.reason)).toEqual(['no-tenant', 'no-tenant']),
    { timeout: 15_000 },
  );
  await consumer.disconnect();
});
