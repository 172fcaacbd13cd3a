import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { apiOf, freshTenant, tokenOf, type Api } from '#test/e2e/api/client.ts';
import { startMariadb, type MariadbServer } from '#test/support/sources/mariadb-server.ts';
import { startMongodb, type MongodbServer } from '#test/support/sources/mongodb-server.ts';
import { freshName } from '#test/support/sources/place.ts';
import { proxyTo } from '#test/support/sources/proxy.ts';

const minutes = 60_000;
const config = loadConfig(process.env);
let mongo: Mongo;
let mariadb: MariadbServer;
let mongodb: MongodbServer;

beforeAll(async () => {
  [mongo, mariadb, mongodb] = await Promise.all([connectMongo(config.mongo), startMariadb(), startMongodb()]);
});
afterAll(async () => {
  await Promise.all([mongo.client.close(), mariadb.stop(), mongodb.stop()]);
});

interface Run {
  run_id: string;
  state: string;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
}

async function operator(): Promise<{ tenant: string; api: Api }> {
  const tenant = freshTenant();
  return { tenant, api: apiOf(await tokenOf(tenant, ['operator'])) };
}

async function start(api: Api, source: object): Promise<string> {
  const answer = await api('POST', '/v1/ingestions', { json: { source } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body['run_id'] as string;
}

async function until(api: Api, runId: string, condition: (run: Run) => boolean): Promise<Run> {
  for (const deadline = Date.now() + 2 * minutes; ; await sleep(100)) {
    const run = (await api('GET', `/v1/ingestions/${runId}`)).body as unknown as Run;
    if (condition(run)) return run;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(run)}`);
  }
}

const ended = (run: Run): boolean => !['queued', 'running', 'paused'].includes(run.state);

async function crawl(api: Api, source: object): Promise<Run> {
  return until(api, await start(api, source), ended);
}

/** What a run changed, as `created column wide.…`. */
async function changesOf(tenant: string, run: Run): Promise<string[]> {
  const versions = await mongo.db
    .collection('entity_versions')
    .find({ tenant_id: tenant, batch_id: new RegExp(`^${tenant}:run:${run.run_id}:`) })
    .toArray();
  return versions.map((one) => `${one['change']} ${one['entity_type']} ${one['qualified_name']}`).sort();
}

/** Crawls twice, changes something, and crawls again: the second crawl writes nothing, the third exactly the difference. */
async function expectExactDifference(
  source: object,
  entities: number,
  change: () => Promise<unknown>,
  difference: string[],
): Promise<void> {
  const { tenant, api } = await operator();
  const first = await crawl(api, source);
  expect(first).toMatchObject({ state: 'completed', counts: { read: entities, created: entities } });
  const second = await crawl(api, source);
  expect(second).toMatchObject({ state: 'completed', counts: { read: entities, unchanged: entities } });
  expect(await changesOf(tenant, second)).toEqual([]);
  await change();
  const third = await crawl(api, source);
  expect(third.state, third.reason ?? '').toBe('completed');
  expect(await changesOf(tenant, third)).toEqual(difference);
}

describe('a crawl from outside, again, and after a change', () => {
  it(
    'of MariaDB',
    async () => {
      const db = freshName();
      await mariadb.admin.query(`CREATE DATABASE ${db}; USE ${db}; CREATE TABLE a (id int PRIMARY KEY, x text, y text);
        CREATE TABLE b (id int, a int REFERENCES a (id)); CREATE VIEW v AS SELECT id, x FROM a`);
      const source = { type: 'mysql', url: `${mariadb.url}/${db}`, name: 'shop' };
      await expectExactDifference(
        source,
        12,
        () => mariadb.admin.query(`ALTER TABLE a DROP COLUMN y; ALTER TABLE b COMMENT = 'new'; DROP VIEW v`),
        [
          `deleted column shop.${db}.a.y`,
          `deleted column shop.${db}.v.id`,
          `deleted column shop.${db}.v.x`,
          `deleted view shop.${db}.v`,
          `updated table shop.${db}.b`,
        ],
      );
    },
    3 * minutes,
  );

  it(
    "of the stack's MongoDB",
    async () => {
      const db = freshName();
      const target = mongo.client.db(db);
      await target.collection<{ _id: number }>('orders').insertMany([{ _id: 1, old: 1, at: { city: 'x' } } as never]);
      await target.createCollection('view', { viewOn: 'orders', pipeline: [] });
      const source = { type: 'mongodb', url: config.mongo.url, name: 'docs', databases: [db] };
      await expectExactDifference(
        source,
        8,
        async () => {
          await target.collection('orders').updateMany({}, { $unset: { old: '' }, $set: { 'at.zip': 1 } });
          await target.collection('orders').createIndex({ 'at.zip': 1 });
          await target.dropCollection('view');
        },
        [
          `created field docs.${db}.orders.at.zip`,
          `deleted field docs.${db}.orders.old`,
          `deleted view docs.${db}.view`,
          `updated collection docs.${db}.orders`,
        ],
      );
      await target.dropDatabase();
    },
    3 * minutes,
  );

  it(
    "of the stack's Neo4j",
    async () => {
      const driver = connectNeo4j(config.neo4j);
      const prefix = `E${randomBytes(4).toString('hex')}_`;
      const { user, password } = config.neo4j;
      await driver.executeQuery(
        `CREATE (:${prefix}Person {name: 'Ada'})-[:${prefix}OWNS {since: 1}]->(:${prefix}Thing {old: 1})`,
      );
      const url = config.neo4j.url.replace('bolt://', `bolt://${user}:${encodeURIComponent(password)}@`);
      const patterns = { labels: [`${prefix}*`], relationship_types: [`${prefix}*`] };
      await expectExactDifference(
        { type: 'neo4j', url, name: 'graph', ...patterns },
        8,
        () => driver.executeQuery(`MATCH (t:${prefix}Thing) REMOVE t.old SET t.new = 1, t:${prefix}Gift`),
        [
          `created label graph.neo4j.${prefix}Gift`,
          `created property graph.neo4j.${prefix}Gift.new`,
          `created property graph.neo4j.${prefix}Thing.new`,
          `deleted property graph.neo4j.${prefix}Thing.old`,
          `updated relationship_type graph.neo4j.${prefix}OWNS`,
        ],
      );
      for (const label of ['Person', 'Thing']) await driver.executeQuery(`MATCH (n:${prefix}${label}) DETACH DELETE n`);
      await driver.close();
    },
    3 * minutes,
  );

  it(
    "of the stack's Kafka",
    async () => {
      const kafka = createKafka(config.kafka, 'lily-tests');
      const admin = kafka.admin();
      await admin.connect();
      const prefix = `e2e${randomBytes(4).toString('hex')}`;
      const [orders, gone] = [`${prefix}-orders`, `${prefix}-gone`];
      await admin.createTopics({
        topics: [{ topic: orders, numPartitions: 2 }, { topic: gone }],
        waitForLeaders: false,
      });
      await expect
        .poll(async () => admin.listTopics(), { timeout: 10_000 })
        .toEqual(expect.arrayContaining([orders, gone]));
      const send = async (value: object): Promise<void> => {
        const producer = kafka.producer();
        await producer.connect();
        await producer.send({ topic: orders, messages: [{ value: JSON.stringify(value) }] });
        await producer.disconnect();
      };
      await send({ id: 1 });
      const source = { type: 'kafka', brokers: config.kafka.brokers, name: 'bus', topics: [`${prefix}*`] };
      await expectExactDifference(
        source,
        5,
        async () => {
          await send({ id: 2, total: 3 });
          await admin.createPartitions({ topicPartitions: [{ topic: orders, count: 3 }] });
          await admin.deleteTopics({ topics: [gone] });
          await expect.poll(async () => admin.listTopics(), { timeout: 10_000 }).not.toContain(gone);
        },
        [`created field bus.${orders}.value.total`, `deleted topic bus.${gone}`, `updated topic bus.${orders}`],
      );
      await admin.deleteTopics({ topics: [orders] });
      await admin.disconnect();
    },
    3 * minutes,
  );
});

describe('a source that fails half-way', () => {
  it(
    'is degraded when a collection may no longer be read, says which, and deletes nothing',
    async () => {
      const { tenant, api } = await operator();
      const db = freshName();
      for (const name of ['a', 'b'])
        await mongodb.admin
          .db(db)
          .collection(name)
          .insertOne({ [`of_${name}`]: 1 });
      await mongodb.admin.db(db).command({
        createRole: 'reader',
        roles: [],
        privileges: [
          { resource: { db, collection: '' }, actions: ['listCollections', 'listIndexes'] },
          { resource: { db, collection: 'a' }, actions: ['find'] },
          { resource: { db, collection: 'b' }, actions: ['find'] },
        ],
      });
      const source = {
        type: 'mongodb',
        url: await mongodb.user(db, [{ role: 'reader', db }]),
        name: 'docs',
        databases: [db],
      };
      expect(await crawl(api, source)).toMatchObject({ state: 'completed' });
      await mongodb.admin.db(db).command({
        revokePrivilegesFromRole: 'reader',
        privileges: [{ resource: { db, collection: 'b' }, actions: ['find'] }],
      });
      await mongodb.admin.db(db).dropCollection('a');
      const run = await crawl(api, source);
      expect(run).toMatchObject({ state: 'degraded', counts: { deleted: 0 } });
      expect(run.reason).toContain(`${db}.b: the user ${db} may not read its documents (find)`);
      expect(await changesOf(tenant, run)).toEqual([]);
    },
    3 * minutes,
  );

  it(
    'keeps what its user has lost the right to see, though the crawl completes',
    async () => {
      const { tenant, api } = await operator();
      const db = freshName();
      await mariadb.admin.query(
        `CREATE DATABASE ${db}; USE ${db}; CREATE TABLE kept (x int); CREATE TABLE hidden (x int); CREATE TABLE dropped (x int)`,
      );
      const url = await mariadb.user(db);
      for (const table of ['kept', 'hidden', 'dropped'])
        await mariadb.admin.query(`GRANT SELECT ON ${db}.${table} TO ${db}`);
      const source = { type: 'mysql', url, name: 'shop', databases: [db] };
      expect(await crawl(api, source)).toMatchObject({ state: 'completed', counts: { created: 8 } });
      await mariadb.admin.query(`REVOKE SELECT ON ${db}.hidden FROM ${db}; DROP TABLE ${db}.dropped`);
      const run = await crawl(api, source);
      expect(run.state).toBe('completed');
      expect(await changesOf(tenant, run)).toEqual([
        `deleted column shop.${db}.dropped.x`,
        `deleted table shop.${db}.dropped`,
      ]);
    },
    3 * minutes,
  );

  it(
    'waits for a server that goes away in the middle, and goes on at its page when it is back',
    async () => {
      const { api } = await operator();
      const db = freshName();
      const tables = Array.from({ length: 150 }, (_, at) => `CREATE TABLE t${at} (a int, b int, c int)`);
      await mariadb.admin.query(`CREATE DATABASE ${db}; USE ${db}; ${tables.join('; ')}`);
      let proxy = await proxyTo({ host: '127.0.0.1', port: mariadb.port });
      const url = mariadb.url.replace(`:${mariadb.port}`, `:${proxy.port}`);
      const source = { type: 'mysql', url, name: 'shop', databases: [db], page_size: 50 };
      const runId = await start(api, source);
      await until(api, runId, (run) => run.pages >= 3);
      const { port } = proxy;
      await proxy.close();
      await sleep(500);
      proxy = await proxyTo({ host: '127.0.0.1', port: mariadb.port }, port);
      const run = await until(api, runId, ended);
      expect(run).toMatchObject({ state: 'completed', counts: { read: 602, created: 602, deleted: 0 } });
      const landed = await mongo.db
        .collection('raw_records')
        .countDocuments({ _id: new RegExp(`^${runId}:`) as never });
      expect(landed).toBe(602);
      await proxy.close();
    },
    3 * minutes,
  );
});

it('credentials are never shown', async () => {
  const { api } = await operator();
  const source = { type: 'mysql', url: mariadb.urlFor('lily', 'hunter2'), name: 'shop' };
  const run = await crawl(api, source);
  expect(run).toMatchObject({ state: 'failed', counts: { deleted: 0 } });
  expect(run.reason).toContain('does not let the user lily in');
  expect(JSON.stringify(run)).not.toContain('hunter2');
  expect(JSON.stringify((await api('GET', '/v1/ingestions')).body)).not.toContain('hunter2');
});
