import { expect, test } from 'vitest';
import type { MongodbSource } from '#domain/ingestion/sources/mongodb.ts';
import { sourceByteLimits } from '#platform/byte-meter.ts';
import { sourceContext } from '#test/support/source-context.ts';
import type { MongodbSession } from './connection.ts';
import { MongodbCatalog } from './mongodb-source.ts';

const megabyte = 1024 * 1024;
const collections = Array.from({ length: 100 }, (_, index) => `c${String(index).padStart(3, '0')}`);

/** A server of large documents, which breaks a session off as the meter does. Each collection has so many documents of 1 MiB. */
function serverOf(documents: number) {
  const counts = { sessions: 0, open: 0, bytes: 0 };
  const openSession = async (): Promise<MongodbSession> => {
    counts.sessions += 1;
    counts.open += 1;
    let bytes = 0;
    return {
      version: '8.0.0',
      get bytes() {
        return bytes;
      },
      async command(_database, { listDatabases, limit }) {
        if (listDatabases !== undefined) return { databases: [{ name: 'shop' }] };
        return { n: typeof limit === 'number' ? Math.min(limit, documents) : documents };
      },
      async list(_database, { listCollections }) {
        return listCollections === undefined ? [] : collections.map((name) => ({ name, type: 'collection' }));
      },
      async *documents({ limit }) {
        for (let n = 0; n < Math.min(limit, documents); n++) {
          bytes += megabyte;
          counts.bytes += megabyte;
          if (bytes > sourceByteLimits.sessionBytes) throw new Error('sent more than one session may cost');
          yield { document: { _id: n }, bytes: megabyte };
        }
      },
      async close() {
        counts.open -= 1;
      },
    };
  };
  const source: MongodbSource = { type: 'mongodb', url: 'mongodb://db.example.org', name: 'm' };
  return { counts, open: () => new MongodbCatalog(source, sourceContext, openSession) };
}

test.each([6, 5_000])('collections of %d large documents end a page before they cost too much', async (documents) => {
  const { counts, open } = serverOf(documents);
  const names: string[] = [];
  let [cursor, pages]: [string | undefined, number] = [undefined, 0];
  do {
    const before = counts.bytes;
    const reader = open();
    const page = await reader.readPage(cursor, 2_000);
    await reader.close();
    expect(counts.bytes - before).toBeLessThan(48 * megabyte);
    names.push(...page.records.filter((one) => one.entity_type === 'collection').map((one) => one.qualified_name));
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== undefined);
  expect(names).toEqual(collections.map((name) => `m.shop.${name}`));
  expect(pages).toBeGreaterThan(10);
  expect(counts.open).toBe(0);
});

test('what is gone is asked for in as many sessions as it takes, of collections that can be read whole', async () => {
  const { counts, open } = serverOf(6);
  const reader = open();
  for (const name of collections) {
    expect(await reader.covers({ entity_type: 'field', qualified_name: `m.shop.${name}.gone` })).toBe(true);
    expect(await reader.covers({ entity_type: 'field', qualified_name: `m.shop.${name}._id` })).toBe(false);
  }
  await reader.close();
  expect(counts.sessions).toBeGreaterThan(2);
  expect(counts.open).toBe(0);
  expect(counts.bytes).toBe(collections.length * 6 * megabyte);
});

test('a collection that cannot be read whole is not read to look for what is gone', async () => {
  const { counts, open } = serverOf(5_000);
  expect(await open().covers({ entity_type: 'field', qualified_name: 'm.shop.c001.gone' })).toBe(false);
  expect(counts.bytes).toBe(0);
});
