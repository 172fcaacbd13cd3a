import { expect, test } from 'vitest';
import type { KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { sourceByteLimits } from '#platform/byte-meter.ts';
import { sourceContext } from '#test/support/source-context.ts';
import type { KafkaSession } from './connection.ts';
import { KafkaCatalog } from './kafka-source.ts';

const megabyte = 1024 * 1024;
const topics = Array.from({ length: 100 }, (_, index) => `t${String(index).padStart(3, '0')}`);
const [key, value] = [Buffer.alloc(megabyte, 0xff), Buffer.from('{"a":1}')];

/** A cluster of large records, which breaks a session off as the meter does. Each topic has so many records of 1 MiB. */
function clusterOf(records: number) {
  const counts = { sessions: 0, open: 0, bytes: 0 };
  const openSession = async (): Promise<KafkaSession> => {
    counts.sessions += 1;
    counts.open += 1;
    let bytes = 0;
    return {
      get bytes() {
        return bytes;
      },
      clusterId: async () => 'theirs',
      topics: async () => topics.map((name) => ({ name, partitions: 1, replicas: 1 })),
      lookUp: async () => 'there',
      settings: async (names) => new Map(names.map((name) => [name, new Map()])),
      offsets: async () => [{ partition: 0, low: 0, high: records }],
      async latest(_topic, { limit }) {
        const found = Array.from({ length: Math.min(limit, records, 8) }, (_, offset) => ({
          partition: 0,
          offset,
          key,
          value,
        }));
        bytes += found.length * megabyte;
        counts.bytes += found.length * megabyte;
        if (bytes > sourceByteLimits.sessionBytes) throw new Error('sent more than one session may cost');
        return { records: found, isWhole: found.length === records };
      },
      async close() {
        counts.open -= 1;
      },
    };
  };
  const source: KafkaSource = { type: 'kafka', brokers: ['kafka.example.org:9092'], name: 'k' };
  return { counts, open: () => new KafkaCatalog(source, sourceContext, openSession) };
}

test.each([6, 5_000])('topics of %d large records end a page before they cost too much', async (records) => {
  const { counts, open } = clusterOf(records);
  const names: string[] = [];
  let [cursor, pages]: [string | undefined, number] = [undefined, 0];
  do {
    const before = counts.bytes;
    const reader = open();
    const page = await reader.readPage(cursor, 2_000);
    await reader.close();
    expect(counts.bytes - before).toBeLessThan(48 * megabyte);
    names.push(...page.records.filter((one) => one.entity_type === 'topic').map((one) => one.qualified_name));
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== undefined);
  expect(names).toEqual(topics.map((name) => `k.${name}`));
  expect(pages).toBeGreaterThan(10);
  expect(counts.open).toBe(0);
});

test('what is gone is asked for in as many sessions as it takes, of topics that can be read whole', async () => {
  const { counts, open } = clusterOf(6);
  const reader = open();
  for (const name of topics) {
    expect(await reader.covers({ entity_type: 'field', qualified_name: `k.${name}.value.gone` })).toBe(true);
    expect(await reader.covers({ entity_type: 'field', qualified_name: `k.${name}.value.a` })).toBe(false);
  }
  await reader.close();
  expect(counts.sessions).toBeGreaterThan(2);
  expect(counts.open).toBe(0);
  expect(counts.bytes).toBe(topics.length * 6 * megabyte);
});

test('a topic that cannot be read whole is not read to look for what is gone', async () => {
  const { counts, open } = clusterOf(5_000);
  expect(await open().covers({ entity_type: 'field', qualified_name: 'k.t001.value.gone' })).toBe(false);
  expect(counts.bytes).toBe(0);
});
