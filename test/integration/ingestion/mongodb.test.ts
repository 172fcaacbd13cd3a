import { createServer, type AddressInfo } from 'node:net';
import { Long, type Db } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PermanentSourceError } from '#activities/ingestion/permanent-source-error.ts';
import { mongodbTarget, type MongodbSource } from '#domain/ingestion/sources/mongodb.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { openForeignMongo } from '#platform/mongo/foreign-mongo.ts';
import { byName, crawl, failureOf, fingerprint, upstreamOf, withSource } from '#test/support/sources/crawl.ts';
import { startMongodb, type MongodbServer } from '#test/support/sources/mongodb-server.ts';
import { freshName } from '#test/support/sources/place.ts';

let server: MongodbServer;
let name: string;
let db: Db;
beforeAll(async () => {
  server = await startMongodb();
});
afterAll(async () => server.stop());
beforeEach(() => {
  name = freshName();
  db = server.admin.db(name);
});

const source = (more: Partial<MongodbSource> = {}): MongodbSource => ({
  type: 'mongodb',
  url: server.url,
  name: 'shopserver',
  databases: [name],
  ...more,
});
const at = (path: string): string => `shopserver.${name}${path}`;

async function shop(): Promise<void> {
  await db.collection('orders').insertMany([
    {
      _id: 1 as never,
      customer: { name: 'Ada', 'e.mail': 'a@b' },
      lines: [
        { sku: 'x', count: 1 },
        { sku: 'y', count: 1.5 },
      ],
    },
    { _id: 2 as never, customer: null, $total: Long.fromNumber(7), lines: [] },
  ]);
  await db
    .collection('orders')
    .createIndex({ 'customer.name': 1, 'lines.sku': -1 }, { name: 'by_customer', sparse: true });
  await db.createCollection('log', { capped: true, size: 65_536, max: 100 });
  await db.createCollection('readings', {
    timeseries: { timeField: 'at', metaField: 'sensor' },
    expireAfterSeconds: 3_600,
  });
  await db.collection('readings').insertMany([{ at: new Date(0), sensor: { id: 1 }, value: 2.5 }]);
  await db.createCollection('people', { validator: { age: { $gte: 0 } } });
  await db.createCollection('big', {
    viewOn: 'orders',
    pipeline: [{ $lookup: { from: 'people', localField: 'a', foreignField: 'b', as: 'c' } }, { $unionWith: 'log' }],
  });
  await db.createCollection('bigger', { viewOn: 'big', pipeline: [] });
}

test('collections, views, indexes and the fields of documents, exactly', async () => {
  await shop();
  const records = byName(await crawl(source()));
  expect([...records.keys()]).toEqual([
    'server shopserver',
    `database ${at('')}`,
    `view ${at('.big')}`,
    `view ${at('.bigger')}`,
    `collection ${at('.log')}`,
    `collection ${at('.orders')}`,
    ...['$total', '_id', 'customer', 'customer."e.mail"', 'customer.name', 'lines', 'lines.count', 'lines.sku'].map(
      (path) => `field ${at(`.orders.${path}`)}`,
    ),
    `collection ${at('.people')}`,
    `collection ${at('.readings')}`,
    ...['_id', 'at', 'sensor', 'sensor.id', 'value'].map((path) => `field ${at(`.readings.${path}`)}`),
  ]);
  expect(records.get(`collection ${at('.orders')}`)).toMatchObject({
    attributes: {
      kind: 'collection',
      indexes: [
        { name: '_id_', key: { _id: 1 } },
        { name: 'by_customer', key: { 'customer.name': 1, 'lines.sku': -1 }, sparse: true },
      ],
    },
    statistics: { row_estimate: 2, documents_sampled: 2, sample_is_whole: true },
  });
  expect(records.get(`collection ${at('.log')}`)?.attributes).toMatchObject({ kind: 'capped', document_limit: 100 });
  expect(records.get(`collection ${at('.readings')}`)?.attributes).toMatchObject({
    kind: 'time series',
    timeseries: { timeField: 'at', metaField: 'sensor' },
    expire_after_seconds: 3_600,
  });
  expect(records.get(`collection ${at('.people')}`)?.attributes).toMatchObject({ validator: { age: { $gte: 0 } } });
  expect(records.get(`field ${at('.orders.customer')}`)).toEqual({
    entity_type: 'field',
    qualified_name: at('.orders.customer'),
    attributes: { name: 'customer' },
    parent: { entity_type: 'collection', qualified_name: at('.orders') },
    statistics: { types: { null: 1, object: 1 }, documents: 2 },
  });
  expect(records.get(`field ${at('.orders.$total')}`)?.statistics).toEqual({ types: { long: 1 }, documents: 1 });
  expect(records.get(`field ${at('.orders.lines')}`)?.statistics).toMatchObject({ item_types: { object: 2 } });
  expect(records.get(`field ${at('.orders.lines.count')}`)).toMatchObject({
    parent: { entity_type: 'field', qualified_name: at('.orders.lines') },
    statistics: { types: { double: 1, int: 1 }, documents: 1 },
  });
  expect(upstreamOf(records.get(`view ${at('.big')}`))).toEqual([at('.log'), at('.orders'), at('.people')]);
  expect(records.get(`view ${at('.bigger')}`)?.upstream).toEqual([{ entity_type: 'view', qualified_name: at('.big') }]);
});

test('pages of every size give the same records in the same order, and so does a second reading', async () => {
  await shop();
  const whole = await crawl(source());
  for (const size of [1, 3, 7, 1_000]) expect(await crawl(source(), size)).toEqual(whole);
});

describe('a sample', () => {
  const fill = async (count: number): Promise<void> => {
    const documents = Array.from({ length: count }, (_, id) => ({ _id: id as never, [`f${id}`]: 1 }));
    await db.collection('wide').insertMany(documents);
  };
  const fields = async (options: MongodbSource): Promise<string[]> =>
    (await crawl(options))
      .filter(({ entity_type }) => entity_type === 'field')
      .map(({ attributes }) => attributes?.name ?? '');

  test('of a larger collection is its oldest and its newest documents, the same ones every time', async () => {
    await fill(30);
    const found = await fields(source({ sample_documents: 4 }));
    expect(found).toEqual(['_id', 'f0', 'f1', 'f28', 'f29']);
    expect(await fields(source({ sample_documents: 4 }))).toEqual(found);
    expect(await fields(source({ sample_documents: 4, sampling: 'random' }))).toHaveLength(5);
    expect(await fields(source({ sample_documents: 0 }))).toEqual([]);
  });

  test('never deletes what it did not see: only every document proves that a field is gone', async () => {
    await fill(30);
    const covers = (sample_documents: number, path: string, entity_type = 'field'): Promise<boolean> =>
      withSource(source({ sample_documents }), async (reader) =>
        reader.covers({ entity_type, qualified_name: at(path) }),
      );
    expect(await covers(4, '.wide.f7')).toBe(false);
    expect(await covers(4, '.wide.never')).toBe(false);
    expect(await covers(30, '.wide.f7')).toBe(false);
    expect(await covers(30, '.wide.never')).toBe(true);
    expect(await covers(29, '.wide.never')).toBe(false);
    expect(await covers(4, '.gone.f7')).toBe(true);
    expect(await covers(4, '.gone', 'collection')).toBe(true);
    expect(await covers(4, '.wide', 'view')).toBe(true);
    expect(await covers(4, '.wide', 'collection')).toBe(false);
    await db.dropDatabase();
    expect(await covers(4, '', 'database')).toBe(true);
  });

  test('is bounded in bytes too', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024);
    for (const id of [1, 2, 3, 4, 5]) await db.collection('fat').insertOne({ _id: id as never, [`f${id}`]: text });
    const records = byName(await crawl(source()));
    expect(records.get(`collection ${at('.fat')}`)?.statistics).toMatchObject({
      documents_sampled: 2,
      sample_is_whole: false,
    });
  });
});

describe('the fingerprint', () => {
  test.each<[string, (db: Db) => Promise<unknown>]>([
    ['a new collection', (db) => db.createCollection('new')],
    ['a collection made anew', async (db) => (await db.dropCollection('people'), db.createCollection('people'))],
    ['another validator', (db) => db.command({ collMod: 'people', validator: { x: 1 } })],
    ['a new index', (db) => db.collection('people').createIndex({ a: 1 })],
    ['another pipeline', (db) => db.command({ collMod: 'big', viewOn: 'orders', pipeline: [] })],
    ['another name', (db) => db.renameCollection('people', 'persons')],
  ])('changes with %s', async (_what, change) => {
    await shop();
    const before = await fingerprint(source());
    expect(await fingerprint(source())).toBe(before);
    await change(db);
    expect(await fingerprint(source())).not.toBe(before);
  });

  test('does not change with documents', async () => {
    await shop();
    const before = await fingerprint(source());
    await db.collection('people').insertOne({ age: 3 });
    expect(await fingerprint(source())).toBe(before);
  });
});

describe('getting in', () => {
  const check = (options: MongodbSource, allowPrivate = true): Promise<Error> =>
    failureOf(withSource(options, (reader) => reader.check(), allowPrivate));

  test('a user who may read is enough, and what it may not read it is told', async () => {
    await shop();
    const url = await server.user(name, [{ role: 'read', db: name }]);
    expect(await crawl(source({ url }))).toEqual(await crawl(source()));
    const other = await server.user(`${name}_2`, []);
    const failure = await check(source({ url: other }));
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain(`shows the user ${name}_2 no database`);
    expect(failure.message).toContain('role read');
    await server.admin.db(name).command({
      createRole: 'lists_only',
      roles: [],
      privileges: [{ resource: { db: name, collection: '' }, actions: ['listCollections', 'listIndexes'] }],
    });
    const lists = source({ url: await server.user(`${name}_3`, [{ role: 'lists_only', db: name }]) });
    const page = await withSource(lists, (reader) => reader.readPage(undefined, 1_000));
    expect(page.incomplete).toContain(`${name}.orders: the user ${name}_3 may not read its documents (find)`);
    expect(page.records.map(({ entity_type }) => entity_type)).not.toContain('field');
  });

  test('what a user has lost the right to see is not deleted', async () => {
    await shop();
    const few = source({ url: await server.user(name, [{ role: 'read', db: name }]) });
    const covers = (entity_type: string, path: string): Promise<boolean> =>
      withSource(few, async (reader) => reader.covers({ entity_type, qualified_name: at(path) }));
    expect(await covers('collection', '.gone')).toBe(true);
    await server.admin.db('admin').command({ revokeRolesFromUser: name, roles: [{ role: 'read', db: name }] });
    expect(await covers('collection', '.gone')).toBe(false);
    expect(await covers('collection', '.orders')).toBe(false);
    expect(await covers('field', '.orders.gone')).toBe(false);
    expect(await covers('database', '')).toBe(false);
  });

  test('a wrong password is final, and not repeated', async () => {
    const failure = await check(source({ url: server.url.replace(/:[^:@]*@/, ':hunter2@') }));
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toMatch(/does not let the user lily in/);
    expect(JSON.stringify(failure) + failure.message + String(failure.stack)).not.toContain('hunter2');
  });

  test('somebody who must sign in and does not is told so', async () => {
    expect((await check(source({ url: `mongodb://127.0.0.1:${server.port}` }))).message).toContain(
      'nobody who has not signed in',
    );
  });

  test('a loopback address is refused unless private ones are allowed', async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1']) {
      const failure = await check(source({ url: server.url.replace('127.0.0.1', host) }), false);
      expect(failure, host).toMatchObject({ code: 'source-refused' });
    }
  });

  test('so is a server that a service name leads to', async () => {
    const target = mongodbTarget('mongodb+srv://u:p@cluster.example/?tls=false');
    const resolveService = () => Promise.resolve([{ name: 'localhost', port: server.port }]);
    const open = (allowPrivate: boolean) =>
      openForeignMongo(target, { allowPrivate, meter: new ByteMeter(), resolveService });
    expect(await failureOf(open(false))).toMatchObject({ code: 'source-refused' });
    expect((await failureOf(open(true))).message).toContain('Authentication failed');
  });

  test('a server that floods us is cut off', async () => {
    const flood = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        const header = Buffer.alloc(16);
        header.writeInt32LE(2_000_000_000, 0);
        socket.write(header);
        const chunk = Buffer.alloc(1024 * 1024);
        const pump = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        };
        socket.on('drain', pump);
        pump();
      });
    });
    await new Promise<void>((done) => flood.listen(0, '127.0.0.1', done));
    const url = `mongodb://u:hunter2@127.0.0.1:${(flood.address() as AddressInfo).port}`;
    const failure = await check(source({ url }));
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain('sent more than 64 MiB in one answer');
    flood.close();
  });

  test('a port where nobody listens is told at once', async () => {
    const started = Date.now();
    expect((await check(source({ url: 'mongodb://u:p@127.0.0.1:1' }))).message).toBe(
      '127.0.0.1:1 refuses connections.',
    );
    expect(Date.now() - started).toBeLessThan(3_000);
  });
});
