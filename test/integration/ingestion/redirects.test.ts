import { afterEach, expect, test } from 'vitest';
import { kafkaSourceSchema } from '#domain/ingestion/sources/kafka.ts';
import { mongodbTarget } from '#domain/ingestion/sources/mongodb.ts';
import { neo4jTarget } from '#domain/ingestion/sources/neo4j.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { loadConfig } from '#platform/config.ts';
import { connectGuarded } from '#platform/guarded-socket.ts';
import { openForeignKafka } from '#platform/kafka/foreign-kafka.ts';
import { openForeignMongo } from '#platform/mongo/foreign-mongo.ts';
import { openForeignNeo4j } from '#platform/neo4j/foreign-neo4j.ts';
import { failureOf } from '#test/support/sources/crawl.ts';
import { proxyTo, type Proxy } from '#test/support/sources/proxy.ts';

// Each of these servers tells its clients where it, or its fellows, are to be found. Behind the proxy that is another address than
// the one that was judged.
const config = loadConfig(process.env);
const [broker = ''] = config.kafka.brokers;
const places = {
  kafka: { host: '127.0.0.1', port: Number(broker.split(':')[1]) },
  mongo: { host: '127.0.0.1', port: Number(new URL(config.mongo.url).port) },
  neo4j: { host: '127.0.0.1', port: Number(new URL(config.neo4j.url).port) },
};
let proxy: Proxy | undefined;
afterEach(async () => proxy?.close());

test('a broker that a cluster advertises is judged like one that the source names', async () => {
  proxy = await proxyTo(places.kafka);
  const { port } = proxy;
  const source = kafkaSourceSchema.parse({ type: 'kafka', brokers: [`127.0.0.1:${port}`] });
  // As if the proxy were at a public address, and the broker that it leads to said that it is at a private one.
  const connect: typeof connectGuarded = (target, onConnect) =>
    connectGuarded({ ...target, allowPrivate: target.port === port }, onConnect);
  const refused = async (): Promise<unknown> => {
    const cluster = await openForeignKafka(source, { allowPrivate: false, meter: new ByteMeter(), connect });
    try {
      const [topic] = await cluster.topics();
      await cluster.settings([topic?.name ?? '']);
      return await cluster.offsets(topic?.name ?? '');
    } finally {
      await cluster.close();
    }
  };
  expect(await failureOf(refused())).toMatchObject({ code: 'source-refused' });
  expect(proxy.connections()).toBeGreaterThan(0);
});

test('the members of a replica set are not followed', async () => {
  proxy = await proxyTo(places.mongo);
  const target = mongodbTarget(`mongodb://127.0.0.1:${proxy.port}/?replicaSet=rs0`);
  const server = await openForeignMongo(target, { allowPrivate: true, meter: new ByteMeter() });
  try {
    const hello = await server.command('admin', { hello: 1 });
    expect(hello['me']).toBe(`127.0.0.1:${places.mongo.port}`);
    await proxy.close();
    await failureOf(server.command('admin', { ping: 1 }));
  } finally {
    await server.close();
  }
});

test('the routes of a graph database are not followed', async () => {
  proxy = await proxyTo(places.neo4j);
  const { user, password } = config.neo4j;
  const target = neo4jTarget(`neo4j://${user}:${encodeURIComponent(password)}@127.0.0.1:${proxy.port}`);
  const server = await openForeignNeo4j(target, { database: undefined, allowPrivate: true, meter: new ByteMeter() });
  try {
    expect(await server.query('RETURN 1 AS one')).toEqual([{ one: 1 }]);
    await proxy.close();
    await failureOf(server.query('RETURN 1 AS one'));
  } finally {
    await server.close();
  }
});
