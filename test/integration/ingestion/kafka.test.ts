import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from 'avsc';
import { CompressionTypes, ConfigResourceTypes, type Admin, type Kafka } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PermanentSourceError } from '#activities/ingestion/permanent-source-error.ts';
import type { KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { byName, crawl, failureOf, fingerprint, withSource } from '#test/support/sources/crawl.ts';

const { brokers } = loadConfig(process.env).kafka;
let kafka: Kafka;
let admin: Admin;
let prefix: string;
const made: string[] = [];

beforeAll(async () => {
  kafka = createKafka({ brokers }, 'lily-tests');
  admin = kafka.admin();
  await admin.connect();
});
afterAll(async () => admin.disconnect());
beforeEach(() => {
  prefix = `t${randomBytes(4).toString('hex')}`;
});
afterEach(async () => {
  if (made.length > 0) await admin.deleteTopics({ topics: made.splice(0) });
});

const source = (more: Partial<KafkaSource> = {}): KafkaSource => ({
  type: 'kafka',
  brokers,
  name: 'bus',
  topics: [`${prefix}*`],
  ...more,
});
const at = (path: string): string => `bus.${prefix}${path}`;

async function topic(name: string, partitions = 1, settings: Record<string, string> = {}): Promise<string> {
  const full = `${prefix}${name}`;
  await admin.createTopics({
    waitForLeaders: false,
    topics: [
      {
        topic: full,
        numPartitions: partitions,
        configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
      },
    ],
  });
  made.push(full);
  // The broker that was asked knows of it a moment later than the one that made it; kafkajs does not wait for that.
  const isLed = async (): Promise<boolean> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [full] });
    return topics[0]?.partitions.length === partitions;
  };
  await expect.poll(() => isLed().catch(() => false), { timeout: 10_000 }).toBe(true);
  return full;
}

type Message = { key?: string | Buffer | null; value: string | Buffer | null };

async function send(name: string, messages: Message[], compression = CompressionTypes.None): Promise<void> {
  // One that has sent to a topic asks for it for ever, and tests delete theirs.
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: `${prefix}${name}`, messages, compression });
  await producer.disconnect();
}

test('topics, their settings, and the fields of JSON keys and values, exactly', async () => {
  await topic('orders', 2, { 'retention.ms': '3600000', 'cleanup.policy': 'compact' });
  await topic('empty');
  await send('orders', [
    { key: '{"id": 1}', value: '{"total": 1.5, "lines": [{"a.b": "x"}]}' },
    { key: '{"id": 2}', value: '{"total": 2, "buyer": {"name": null}}' },
  ]);
  await send('orders', [{ key: '{"id": 2}', value: null }], CompressionTypes.GZIP);
  const records = byName(await crawl(source()));
  expect([...records.keys()]).toEqual([
    'cluster bus',
    `topic ${at('empty')}`,
    `topic ${at('orders')}`,
    ...[
      'key',
      'key.id',
      'value',
      'value.buyer',
      'value.buyer.name',
      'value.lines',
      'value.lines."a.b"',
      'value.total',
    ].map((path) => `field ${at(`orders.${path}`)}`),
  ]);
  expect(records.get(`topic ${at('orders')}`)).toMatchObject({
    attributes: { partitions: 2, replication_factor: 1, cleanup_policy: 'compact', retention_ms: 3_600_000 },
    parent: { entity_type: 'cluster', qualified_name: 'bus' },
    statistics: { records_sampled: 3, sample_is_whole: true },
  });
  expect(records.get(`field ${at('orders.value')}`)?.statistics).toEqual({ types: { json: 2, null: 1 }, documents: 3 });
  expect(records.get(`field ${at('orders.value.total')}`)).toMatchObject({
    attributes: { name: 'total' },
    parent: { entity_type: 'field', qualified_name: at('orders.value') },
    statistics: { types: { integer: 1, number: 1 } },
  });
});

test('pages of every size give the same records in the same order, and so does a second reading', async () => {
  for (const name of ['c', 'a', 'B', 'd']) {
    await topic(name, 2);
    await send(
      name,
      Array.from({ length: 20 }, (_, id) => ({ value: JSON.stringify({ [`f${id}`]: id }) })),
    );
  }
  const whole = await crawl(source({ sample_records: 7 }));
  for (const size of [1, 3, 1_000]) expect(await crawl(source({ sample_records: 7 }), size)).toEqual(whole);
});

test('what is no document is said to be what it is', async () => {
  await topic('mixed');
  await send('mixed', [
    { key: 'k1', value: 'plain' },
    { key: Buffer.from([255, 254]), value: '42' },
    { key: 'k2', value: '{"broken": ' },
    { key: 'k3', value: '' },
  ]);
  const records = byName(await crawl(source()));
  expect(records.get(`field ${at('mixed.key')}`)?.statistics).toMatchObject({ types: { text: 3, binary: 1 } });
  expect(records.get(`field ${at('mixed.value')}`)?.statistics).toMatchObject({ types: { text: 3, empty: 1 } });
});

test('a batch that unpacks to far more than it was is not unpacked', async () => {
  await topic('bomb');
  const value = JSON.stringify({ text: 'x'.repeat(70 * 1024 * 1024) });
  await send('bomb', [{ value }], CompressionTypes.GZIP);
  const records = byName(await crawl(source()));
  expect(records.get(`field ${at('bomb.value')}`)?.statistics).toMatchObject({ types: { unreadable: 1 } });
});

describe('with a schema registry', () => {
  let registry: Server;
  let url: string;
  let answer: (path: string) => { status: number; body: string; location?: string };
  const seen: (string | undefined)[] = [];
  const order = {
    type: 'record',
    name: 'Order',
    namespace: 'shop',
    fields: [
      { name: 'id', type: 'long', doc: 'The number' },
      { name: 'note', type: ['null', 'string'], default: null },
      {
        name: 'lines',
        type: { type: 'array', items: { type: 'record', name: 'Line', fields: [{ name: 'sku', type: 'string' }] } },
      },
    ],
  } as const;
  const framed = (id: number, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id, 1);
    return Buffer.concat([head, body]);
  };
  const avro = (id: number): Buffer =>
    framed(id, Type.forSchema(order as never).toBuffer({ id: 1, note: null, lines: [{ sku: 'x' }] }));

  beforeAll(async () => {
    registry = createServer((request, response) => {
      seen.push(request.headers.authorization);
      const { status, body, location } = answer(request.url ?? '');
      response.writeHead(status, location === undefined ? {} : { location }).end(body);
    });
    await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/api`;
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    answer = (path) =>
      path === '/api/schemas/ids/7'
        ? { status: 200, body: JSON.stringify({ schema: JSON.stringify(order) }) }
        : { status: path === '/api/subjects' ? 200 : 404, body: '[]' };
    await topic('orders');
    await send('orders', [
      { key: 'k', value: avro(7) },
      { key: 'k', value: avro(9) },
    ]);
  });
  const withRegistry = (more: object = {}): KafkaSource =>
    source({ schema_registry: { url, username: 'ada', password: 'hunter2', ...more } });

  test('the fields of an Avro record are those of its schema', async () => {
    const records = byName(await crawl(withRegistry()));
    expect(seen).toContain(`Basic ${Buffer.from('ada:hunter2').toString('base64')}`);
    expect(records.get(`field ${at('orders.value')}`)).toMatchObject({
      attributes: { data_type: 'shop.Order', schema_id: 7 },
      statistics: { types: { avro: 1, binary: 1 } },
    });
    expect(records.get(`field ${at('orders.value.id')}`)?.attributes).toEqual({
      name: 'id',
      data_type: 'long',
      nullable: false,
      description: 'The number',
    });
    expect(records.get(`field ${at('orders.value.note')}`)?.attributes).toMatchObject({
      data_type: 'string',
      nullable: true,
    });
    expect(records.get(`field ${at('orders.value.lines.sku')}`)?.parent).toEqual({
      entity_type: 'field',
      qualified_name: at('orders.value.lines'),
    });
  });

  test.each([
    ['fails', { status: 500, body: '' }, 'answers 500'],
    ['talks nonsense', { status: 200, body: '<html>' }, 'cannot be read'],
    ['floods us', { status: 200, body: 'x'.repeat(3 * 1024 * 1024) }, 'more than'],
    ['leads us elsewhere', { status: 302, body: '', location: 'http://127.0.0.1:1/' }, 'redirects'],
  ])('one that %s makes the run incomplete, and says why', async (_title, says, words) => {
    answer = (path) => (path === '/api/subjects' ? { status: 200, body: '[]' } : says);
    const page = await withSource(withRegistry(), (reader) => reader.readPage(undefined, 1_000));
    expect(page.incomplete?.join()).toContain(words);
    expect(page.incomplete?.join()).not.toContain('hunter2');
    expect(page.records.map(({ entity_type }) => entity_type)).toContain('topic');
  });

  test('one that does not let us in is told when the source is tested', async () => {
    answer = () => ({ status: 401, body: '' });
    const failure = await failureOf(withSource(withRegistry(), (reader) => reader.check()));
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain('does not let us in (schema registry)');
  });
});

test('the fingerprint changes with topics, partitions and settings, and not with records', async () => {
  const name = await topic('a');
  const before = await fingerprint(source());
  await send('a', [{ value: '{"x": 1}' }]);
  expect(await fingerprint(source())).toBe(before);
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: 2 }] });
  await expect.poll(() => fingerprint(source())).not.toBe(before);
  const wider = await fingerprint(source());
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: [{ name: 'retention.ms', value: '1000' }] }],
  });
  await expect.poll(() => fingerprint(source())).not.toBe(wider);
});

test('a sample never deletes what it did not see, and what is asked for does not come into being', async () => {
  await topic('many');
  await send('many', [...Array.from({ length: 20 }, () => ({ value: '{"always": 1}' })), { value: '{"rare": 1}' }]);
  const covers = (sample_records: number, entity_type: string, path: string): Promise<boolean> =>
    withSource(source({ sample_records }), async (reader) => reader.covers({ entity_type, qualified_name: at(path) }));
  expect(await covers(5, 'field', 'many.value.never')).toBe(false);
  expect(await covers(21, 'field', 'many.value.rare')).toBe(false);
  expect(await covers(21, 'field', 'many.value.never')).toBe(true);
  expect(await covers(5, 'topic', 'many')).toBe(false);
  expect(await covers(5, 'topic', 'gone')).toBe(true);
  expect(await covers(5, 'field', 'gone.value.x')).toBe(true);
  expect(await admin.listTopics()).not.toContain(`${prefix}gone`);
  expect(
    await withSource(source({ topics: ['other*'] }), async (reader) =>
      reader.covers({ entity_type: 'topic', qualified_name: at('gone') }),
    ),
  ).toBe(false);
});

describe('getting in', () => {
  const check = (options: KafkaSource, allowPrivate = true): Promise<Error> =>
    failureOf(withSource(options, (reader) => reader.check(), allowPrivate));

  test('no topic to read is told, and what right may be missing', async () => {
    const failure = await check(source());
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain('DESCRIBE and READ');
  });

  test('a loopback address is refused unless private ones are allowed', async () => {
    const [, port = ''] = brokers[0]?.split(':') ?? [];
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      expect(await check(source({ brokers: [`${host}:${port}`] }), false), host).toMatchObject({
        code: 'source-refused',
      });
    }
    await topic('a');
    const registry = { url: 'http://127.0.0.1:1' };
    expect((await check(source({ schema_registry: registry }))).message).toContain('refuses connections');
  });

  test('a port where nobody listens, and a broker that knows no SASL, are told without the password', async () => {
    const nobody = await check(source({ brokers: ['127.0.0.1:1'] }));
    expect(nobody).toMatchObject({ code: 'source-unreachable' });
    const sasl = { mechanism: 'plain', username: 'ada', password: 'hunter2' } as const;
    const failure = await check(source({ sasl }));
    expect(failure).toMatchObject({ code: 'source-unreachable' });
    expect(JSON.stringify(failure) + failure.message + String(failure.stack)).not.toContain('hunter2');
  });
});
