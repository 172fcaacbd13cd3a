import { randomBytes } from 'node:crypto';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import type { ForeignCluster } from '#platform/kafka/foreign/client.ts';
import type { Resolve } from '#platform/kafka/foreign/guarded-socket.ts';
import { TopicReader, TopicReplaced } from '#platform/kafka/foreign/topic-reader.ts';

const { kafka: config } = loadConfig(process.env);
const kafka = createKafka(config, 'lily-test');
const admin = kafka.admin();
const [broker = ''] = config.brokers;
const brokerPort = Number(broker.slice(broker.lastIndexOf(':') + 1));
const anywhere: Resolve = async (host) => [host];

beforeAll(() => admin.connect());
afterAll(() => admin.disconnect());

async function newTopic(configEntries: { name: string; value: string }[] = [], numPartitions = 1): Promise<string> {
  const topic = `reader-${randomBytes(5).toString('hex')}`;
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions, configEntries }] });
  return topic;
}

async function produce(topic: string, values: string[], partition = 0): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, createPartitioner: () => () => partition });
  await producer.connect();
  await producer.send({ topic, messages: values.map((value, key) => ({ key: String(key), value })) });
  await producer.disconnect();
}

function readerOf(topic: string, resolve = anywhere, cluster: Partial<ForeignCluster> = {}): TopicReader {
  return new TopicReader({ brokers: config.brokers, ...cluster }, topic, 'lily-test', resolve);
}

/** Everything from the beginning to the end, partition by partition. */
async function readAll(reader: TopicReader): Promise<{ values: string[]; fetches: number }> {
  const bounds = await reader.bounds();
  const positions = new Map(bounds.map(({ partition, first }) => [partition, first]));
  const values: string[] = [];
  let fetches = 0;
  while (bounds.some(({ partition, end }) => (positions.get(partition) ?? 0) < end)) {
    fetches += 1;
    for (const { partition, messages, next } of await reader.fetch(positions)) {
      positions.set(partition, next);
      for (const { value } of messages) values.push(value?.toString() ?? '(none)');
    }
  }
  return { values, fetches };
}

async function failureOf(work: Promise<unknown>): Promise<LilyError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LilyError) return error;
  throw new Error(`not refused as it should be: ${String(error)}`);
}

/** Something that listens where a broker would, and passes everything on to the genuine one, or does something else. */
async function listener(
  react: (server: Server) => void,
  host = '127.0.0.2',
): Promise<{ address: string; close: () => void }> {
  const server = createServer();
  react(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { address: `${host}:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

describe('a reader of a foreign topic', () => {
  it('reads every message once, in order, from several partitions and in small and large fetches', async () => {
    const topic = await newTopic([], 3);
    const values = Array.from({ length: 600 }, (_, n) => `${n}-${'x'.repeat(n % 50 === 0 ? 100_000 : 10)}`);
    for (const partition of [0, 1, 2]) await produce(topic, values, partition);
    const reader = readerOf(topic);
    const { topicId, clusterId } = await reader.open();
    expect(topicId).toMatch(/^[\w-]{22}$/);
    expect(clusterId).toBe((await admin.describeCluster()).clusterId);
    const { values: read } = await readAll(reader);
    await reader.close();
    expect(read.toSorted()).toEqual([...values, ...values, ...values].toSorted());
  });

  it('reads a message that is larger than a fetch asks for', async () => {
    const topic = await newTopic([{ name: 'max.message.bytes', value: String(8 * 1024 * 1024) }], 2);
    await produce(topic, ['x'.repeat(5 * 1024 * 1024), 'after it']);
    await produce(topic, ['y'.repeat(2 * 1024 * 1024), 'after that'], 1);
    const reader = readerOf(topic);
    await reader.open();
    const { values } = await readAll(reader);
    await reader.close();
    expect(values.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([8, 10, 2_097_152, 5_242_880]);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('reads what the cluster keeps compressed by %s', async (codec) => {
    const topic = await newTopic([
      { name: 'compression.type', value: codec },
      { name: 'max.message.bytes', value: String(8 * 1024 * 1024) },
    ]);
    const noise = randomBytes(70_000).toString('base64');
    const values = [
      '',
      'a',
      'ab'.repeat(50_000),
      noise,
      noise + noise,
      ...Array.from({ length: 500 }, (_, n) => `{"n":${n}}`),
    ];
    await produce(topic, values);
    await produce(topic, ['alone']);
    const reader = readerOf(topic);
    await reader.open();
    expect((await readAll(reader)).values).toEqual([...values, 'alone']);
    await reader.close();
  });

  it('goes over what a transaction left behind, and what it took back', async () => {
    const topic = await newTopic();
    const producer = kafka.producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: () => () => 0,
    });
    await producer.connect();
    for (const [value, keep] of [
      ['kept', true],
      ['taken back', false],
      ['kept too', true],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await (keep ? transaction.commit() : transaction.abort());
    }
    await producer.disconnect();
    const reader = readerOf(topic);
    await reader.open();
    expect((await readAll(reader)).values).toEqual(['kept', 'kept too']);
    await reader.close();
  });

  it('notices that the topic was made anew, before it gives anything of the new one', async () => {
    const topic = await newTopic();
    await produce(topic, ['old', 'old']);
    const reader = readerOf(topic);
    await reader.open();
    expect((await readAll(reader)).values).toEqual(['old', 'old']);
    await admin.deleteTopics({ topics: [topic] });
    await expect.poll(() => admin.listTopics()).not.toContain(topic);
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
    await produce(topic, ['new', 'new', 'new', 'new']);
    await expect(reader.fetch(new Map([[0, 2]]))).rejects.toThrow(TopicReplaced);
    await reader.close();
  });
});

describe('a hostile or broken cluster', () => {
  const onlyTheFirst: Resolve = async (host) => {
    if (host === '127.0.0.2') return [host];
    throw new LilyError('source-refused', `${host} is not at a public address.`);
  };

  it('is not followed to an address that its brokers name, when that is not allowed', async () => {
    const topic = await newTopic();
    let connections = 0;
    const relay = await listener((server) =>
      server.on('connection', (socket) => {
        connections += 1;
        const genuine = connect(brokerPort, '127.0.0.1');
        socket.pipe(genuine).pipe(socket);
        for (const one of [socket, genuine]) one.on('error', () => undefined);
      }),
    );
    const reader = readerOf(topic, onlyTheFirst, { brokers: [relay.address] });
    const failure = await failureOf(reader.open());
    expect(failure.code).toBe('source-refused');
    expect(failure.message).toBe('127.0.0.1 is not at a public address.');
    expect(connections).toBeGreaterThan(0);
    await reader.close();
    relay.close();
  });

  it('is refused by its own address too, written as a number or as a name', async () => {
    const never: Resolve = async (host) => {
      throw new LilyError('source-refused', `${host} is not at a public address.`);
    };
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const reader = readerOf('any', never, { brokers: [`${host}:${brokerPort}`] });
      expect((await failureOf(reader.open())).code, host).toBe('source-refused');
      await reader.close();
    }
  });

  it('cannot make Lily hold an endless answer, nor wait for one that never comes', async () => {
    const huge = await listener((server) =>
      server.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('data', () => socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1])));
      }),
    );
    const reader = readerOf('any', anywhere, { brokers: [huge.address] });
    const startedAt = Date.now();
    expect((await failureOf(reader.open())).code).toBe('source-unreachable');
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    await reader.close();
    huge.close();
  });

  it('is said to have no such topic, or not to let us in', async () => {
    const none = readerOf(`none-${randomBytes(5).toString('hex')}`);
    expect((await failureOf(none.open())).message).toMatch(/has no topic none-\w+, or does not let it be read/);
    await none.close();
    const sasl = { mechanism: 'plain', username: 'lily', password: 'hush' } as const;
    const signed = readerOf('any', anywhere, { sasl });
    const failure = await failureOf(signed.open());
    expect(failure.code).toBe('source-unreachable');
    expect(failure.message).not.toContain('hush');
    await signed.close();
  });
});
