import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ObjectId } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limits } from '#domain/limits.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { ensureObjectIndexes, objectStore, type ObjectStore } from '#platform/objects/object-store.ts';
import { freshTenant } from '#test/support/pipeline.ts';

let mongo: Mongo;
let objects: ObjectStore;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  await ensureObjectIndexes(mongo.db);
  objects = objectStore(mongo.db);
});
afterAll(async () => mongo.client.close());

const about = { name: 'a.bin', contentType: 'application/octet-stream', maxBytes: 64 * 1024 * 1024 };
const hour = 3_600_000;

async function leftOf(tenant: string): Promise<{ files: number; chunks: number; marks: number }> {
  const files = await mongo.db.collection('objects.files').countDocuments({ 'metadata.tenant_id': tenant });
  const marks = await mongo.db.collection('objects.uploads').find({ tenant_id: tenant }).toArray();
  const chunks = await mongo.db
    .collection('objects.chunks')
    .countDocuments({ files_id: { $in: marks.map(({ _id }) => _id) } });
  return { files, chunks, marks: marks.length };
}

test('what goes in comes out, whole or from any place to any other, for its tenant only', async () => {
  const [tenant, stranger] = [freshTenant(), freshTenant()];
  const content = randomBytes(3 * 1024 * 1024 + 17);
  const stored = await objects.put(tenant, Readable.from([content]), about);
  expect(stored).toMatchObject({
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    name: 'a.bin',
  });
  expect(await objects.stat(tenant, stored.objectId)).toMatchObject({ bytes: content.length, sha256: stored.sha256 });
  for (const [start, end] of [
    [0, undefined],
    [1, 2],
    [1024 * 1024 - 1, 1024 * 1024 + 1],
    [3_000_000, 99_999_999],
    [content.length, undefined],
    [99_999_999, undefined],
  ] as const) {
    const read = await buffer(await objects.open(tenant, stored.objectId, start, end));
    expect(read.equals(content.subarray(start, end)), `${start} to ${end}`).toBe(true);
  }
  expect(await objects.stat(stranger, stored.objectId)).toBeUndefined();
  await expect(objects.open(stranger, stored.objectId)).rejects.toMatchObject({ code: 'not-found' });
  expect(await objects.remove(stranger, stored.objectId)).toBe(false);
  expect(await objects.remove(tenant, stored.objectId)).toBe(true);
  expect(await objects.stat(tenant, stored.objectId)).toBeUndefined();
  expect(await leftOf(tenant)).toEqual({ files: 0, chunks: 0, marks: 0 });
});

test('an empty content is one', async () => {
  const tenant = freshTenant();
  const { objectId, bytes } = await objects.put(tenant, Readable.from([]), about);
  expect(bytes).toBe(0);
  expect(await buffer(await objects.open(tenant, objectId))).toHaveLength(0);
});

test('what is too long, or fails on its way, leaves nothing but a mark', async () => {
  const tenant = freshTenant();
  const long = objects.put(tenant, Readable.from([randomBytes(2_000_000), randomBytes(2_000_000)]), {
    ...about,
    maxBytes: 3_000_000,
  });
  await expect(long).rejects.toMatchObject({ code: 'body-too-large' });
  const broken = Readable.from(
    (async function* () {
      yield randomBytes(2_000_000);
      throw new Error('the sender went away');
    })(),
  );
  await expect(objects.put(tenant, broken, about)).rejects.toThrow('the sender went away');
  expect(await leftOf(tenant)).toEqual({ files: 0, chunks: 0, marks: 2 });
});

test('under one key there is one object, also when two come at once', async () => {
  const [tenant, stranger] = [freshTenant(), freshTenant()];
  const put = (owner: string) => objects.put(owner, Readable.from(['the same']), { ...about, key: 'staged:1' });
  const [one, two] = await Promise.all([put(tenant), put(tenant)]);
  expect(one.objectId).toBe(two.objectId);
  expect((await put(tenant)).objectId).toBe(one.objectId);
  expect((await put(stranger)).objectId).not.toBe(one.objectId);
  expect((await objects.find(tenant, 'staged:1'))?.objectId).toBe(one.objectId);
  expect(await objects.find(tenant, 'staged:2')).toBeUndefined();
  expect(await leftOf(tenant)).toMatchObject({ files: 1, chunks: 0 });
});

test('the sweep takes what has outlived its time and what crashed, and nothing else', async () => {
  const tenant = freshTenant();
  const kept = await objects.put(tenant, Readable.from(['kept']), about);
  const passing = await objects.put(tenant, Readable.from(['passing']), { ...about, keepHours: 1 });
  const chunks = mongo.db.collection('objects.chunks');
  const marks = mongo.db.collection('objects.uploads');
  // A process that died in the middle of an upload leaves its mark and some chunks.
  const [crashed, growing] = [new ObjectId(), new ObjectId()];
  const crashedAt = new Date(Date.now() - (2 * limits.uploadMinutes + 1) * 60_000);
  await marks.insertMany([
    { _id: crashed, tenant_id: tenant, started_at: crashedAt },
    { _id: growing, tenant_id: tenant, started_at: new Date() },
    // This one died between its last chunk and taking its mark away.
    { _id: new ObjectId(kept.objectId), tenant_id: tenant, started_at: crashedAt },
  ]);
  await chunks.insertMany([
    { files_id: crashed, n: 0, data: Buffer.from('x') },
    { files_id: growing, n: 0, data: Buffer.from('x') },
  ]);
  await objects.sweep();
  expect(await chunks.countDocuments({ files_id: crashed })).toBe(0);
  expect(await chunks.countDocuments({ files_id: growing })).toBe(1);
  expect(await objects.stat(tenant, passing.objectId)).toBeDefined();
  expect((await marks.find({ tenant_id: tenant }).toArray()).map(({ _id }) => _id)).toEqual([growing]);
  expect(await buffer(await objects.open(tenant, kept.objectId))).toEqual(Buffer.from('kept'));

  await objects.sweep(new Date(Date.now() + hour + 1_000));
  expect(await objects.stat(tenant, passing.objectId)).toBeUndefined();
  expect(await chunks.countDocuments({ files_id: new ObjectId(passing.objectId) })).toBe(0);
  expect(await objects.stat(tenant, kept.objectId)).toBeDefined();
});
