import { deepStrictEqual, partialDeepStrictEqual } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { collections } from '#platform/mongo/collections.ts';
import { apiOf, freshTenant, stack, tokenOf, type Answer, type Api } from '../api/client.ts';

// The stack's own Kafka stands for somebody else's: another topic of it, reached like any other cluster.
const config = loadConfig(process.env);
const kafka = createKafka(config.kafka, 'lily-test');
const admin = kafka.admin();
const producer = kafka.producer({
  allowAutoTopicCreation: false,
  createPartitioner:
    () =>
    ({ message }) =>
      message.partition ?? 0,
});
const partitions = 3;
let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(config.mongo);
  await Promise.all([admin.connect(), producer.connect()]);
});
afterAll(async () => {
  await Promise.all([admin.disconnect(), producer.disconnect(), mongo.client.close()]);
});

async function newTopic(topic = `foreign-${randomBytes(5).toString('hex')}`): Promise<string> {
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] });
  return topic;
}

interface Sent {
  partition?: number;
  value: string | Buffer | null;
}

async function produce(topic: string, messages: Sent[]): Promise<void> {
  await producer.send({
    topic,
    acks: -1,
    messages: messages.map(({ partition = 0, value }) => ({ partition, value })),
  });
}

const table = (name: string, n: number): string => JSON.stringify({ entity_type: 'table', name, n });

class Following {
  readonly tenant = freshTenant();
  readonly name = 'theirs';
  readonly api: Api;

  constructor(api: (tenant: string) => Api) {
    this.api = api(this.tenant);
  }

  async put(topic: string, more: object = {}): Promise<Answer> {
    const json = { brokers: config.kafka.brokers, topic, from: 'earliest', ...more };
    return this.api('PUT', `/v1/integrations/topics/${this.name}`, { json });
  }

  async status(): Promise<Record<string, unknown> & { partitions: { next: number; incarnation: string }[] }> {
    return (await this.api('GET', `/v1/integrations/topics/${this.name}`)).body as never;
  }

  async act(action: string): Promise<Answer> {
    return this.api('POST', `/v1/integrations/topics/${this.name}/${action}`);
  }

  async until(expected: object, timeout = 30_000): Promise<void> {
    await vi.waitFor(async () => partialDeepStrictEqual(await this.status(), expected), { timeout, interval: 100 });
  }

  /** The values that an entity has had, the first one first. */
  async valuesOf(name: string): Promise<unknown[]> {
    const versions = await collections(mongo.db)
      .entityVersions.find({ tenant_id: this.tenant, qualified_name: name })
      .sort({ version: 1 })
      .toArray();
    return versions.map(({ attributes }) => attributes['n']);
  }

  async untilValues(name: string, values: unknown[], timeout = 30_000): Promise<void> {
    await vi.waitFor(async () => deepStrictEqual(await this.valuesOf(name), values), { timeout, interval: 100 });
  }
}

function following(): Following {
  const tokens = new Map<string, Promise<string>>();
  return new Following((tenant) => async (method, path, plan) => {
    const token = tokens.get(tenant) ?? tokenOf(tenant, ['operator']);
    tokens.set(tenant, token);
    return apiOf(await token)(method, path, plan);
  });
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('a followed Kafka topic', () => {
  it('applies what the topic held and what comes, says how far it is, and keeps what it cannot use', async () => {
    const topic = await newTopic();
    const theirs = following();
    await produce(topic, [
      { value: table('a', 1) },
      { value: `[${table('b', 1)},${table('c', 1)}]`, partition: 1 },
      { value: '{"entity_type":', partition: 2 },
      { value: JSON.stringify({ name: 'no type' }), partition: 2 },
      { value: Buffer.from([0xff, 0xfe]), partition: 2 },
      { value: null, partition: 2 },
    ]);
    const put = await theirs.put(topic);
    expect(put.status).toBe(201);
    await theirs.until({
      state: 'following',
      lag: 0,
      counts: { messages: 6, records: 3, dead_letters: 3, ignored: 1 },
    });
    await produce(topic, [{ value: table('a', 2) }]);
    await theirs.untilValues('a', [1, 2]);
    await theirs.untilValues('c', [1]);
    const letters = await vi.waitFor(async () => {
      const found = await collections(mongo.db).deadLetters.find({ tenant_id: theirs.tenant }).toArray();
      expect(found).toHaveLength(3);
      return found;
    }, 20_000);
    expect(letters.map(({ detail }) => detail.replace(/:.*/s, '')).sort()).toEqual([
      'partition 2, offset 0',
      'partition 2, offset 1',
      'partition 2, offset 2',
    ]);
    const raw = await collections(mongo.db).rawRecords.findOne({ _id: letters[0]?.record_id ?? '' });
    expect(raw).toMatchObject({ door: 'topic', actor: 'topic:theirs' });
    await theirs.until({ counts: { messages: 7, records: 4 }, last_error: null });
    expect((await theirs.status()).partitions.map(({ next }) => next)).toEqual([2, 1, 4]);
  });

  it('begins with what comes from now on, maps it, and takes another mapping while it goes on', async () => {
    const topic = await newTopic();
    const theirs = following();
    await produce(topic, [{ value: JSON.stringify({ path: 'old', title: 'old' }) }]);
    const mapping = { entity_type: { value: 'table' }, qualified_name: '/path', attributes: { name: '/title' } };
    await theirs.put(topic, { from: 'latest', mapping });
    await theirs.until({ state: 'following' });
    await produce(topic, [{ value: JSON.stringify({ path: 'new', title: 'New', n: 1 }) }]);
    await theirs.untilValues('new', [undefined]);
    expect(await theirs.valuesOf('old')).toEqual([]);
    const changed = await theirs.put(topic, { from: 'latest', mapping: { ...mapping, rest: true } });
    expect(changed.status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await produce(topic, [{ value: JSON.stringify({ path: 'new', title: 'New', n: 2 }) }]);
    await theirs.untilValues('new', [undefined, 2]);
  });

  it('applies every message once and in order, though the worker was killed in the middle', async () => {
    const topic = await newTopic();
    const theirs = following();
    const [names, rounds] = [12, 500];
    const all = upTo(names * rounds).map((n) => ({
      partition: n % partitions,
      value: table(`e${n % names}`, Math.floor(n / names)),
    }));
    await produce(topic, all.slice(0, 3_000));
    await theirs.put(topic);
    await vi.waitFor(async () => {
      const { counts } = (await theirs.status()) as unknown as { counts: { messages: number } };
      expect(counts.messages).toBeGreaterThan(0);
    }, 20_000);
    await produce(topic, all.slice(3_000, 4_500));
    await stack.kill('worker');
    await produce(topic, all.slice(4_500));
    await stack.start('worker');
    await theirs.until(
      { lag: 0, counts: { messages: all.length, records: all.length, dead_letters: 0, lost: 0 } },
      60_000,
    );
    for (const n of upTo(names)) await theirs.untilValues(`e${n}`, upTo(rounds), 60_000);
    const { rawRecords } = collections(mongo.db);
    expect(await rawRecords.countDocuments({ tenant_id: theirs.tenant })).toBe(all.length);
  }, 120_000);

  it('takes a topic that is made anew for another one, though its messages stand at the same offsets', async () => {
    const topic = await newTopic();
    const theirs = following();
    await produce(topic, [{ value: table('old-1', 1) }, { value: table('old-2', 1) }]);
    await theirs.put(topic);
    await theirs.untilValues('old-2', [1]);
    const [before] = (await theirs.status()).partitions;
    await admin.deleteTopics({ topics: [topic] });
    await vi.waitFor(async () => newTopic(topic), 20_000);
    await produce(topic, [{ value: table('new-1', 1) }, { value: table('new-2', 1) }, { value: table('new-3', 1) }]);
    for (const name of ['new-1', 'new-2', 'new-3']) await theirs.untilValues(name, [1], 60_000);
    const after = await theirs.status();
    expect(after.partitions[0]?.incarnation).not.toBe(before?.incarnation);
    expect(JSON.stringify(after['last_notice'])).toContain('made anew');
  }, 90_000);

  it('stops while it is paused, goes on where it was, and is followed no further when it is deleted', async () => {
    const topic = await newTopic();
    const theirs = following();
    await theirs.put(topic);
    await produce(topic, [{ value: table('a', 1) }]);
    await theirs.untilValues('a', [1]);
    expect((await theirs.act('pause')).body).toMatchObject({ state: 'paused' });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await produce(topic, [{ value: table('a', 2) }]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await theirs.valuesOf('a')).toEqual([1]);
    await theirs.act('resume');
    await theirs.untilValues('a', [1, 2]);
    const stranger = following();
    expect((await stranger.act('pause')).status).toBe(404);
    expect((await theirs.api('DELETE', '/v1/integrations/topics/theirs')).status).toBe(204);
    expect((await theirs.act('resume')).status).toBe(404);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await produce(topic, [{ value: table('a', 3) }]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await theirs.valuesOf('a')).toEqual([1, 2]);
  });

  it('says what is wrong, and goes on by itself when it is mended', async () => {
    const theirs = following();
    const topic = `late-${randomBytes(5).toString('hex')}`;
    await theirs.put(topic);
    await theirs.until({
      state: 'failing',
      last_error: { message: `The cluster has no topic ${topic}, or does not let it be read.` },
    });
    await newTopic(topic);
    await produce(topic, [{ value: table('late', 1) }]);
    await theirs.untilValues('late', [1], 60_000);
    expect(await theirs.status()).toMatchObject({ state: 'following', lag: 0 });
  }, 90_000);

  it('reads none of the topics of Lily itself', async () => {
    const thief = following();
    await thief.put('lily.ingest');
    await thief.until({ state: 'failing', last_error: { message: 'The topic lily.ingest is not open to anybody.' } });
    expect(await thief.status()).toMatchObject({ counts: { messages: 0 } });
  });

  it('refuses what is not a topic, a second one under the same name, and who may not', async () => {
    const theirs = following();
    const bad = await theirs.put('a topic');
    expect(bad.body).toMatchObject({ status: 400, field: '/topic' });
    expect((await theirs.put('x', { brokers: ['user:secret@kafka:9092'] })).body).toMatchObject({
      field: '/brokers/0',
    });
    expect((await theirs.put('x', { brokers: ['kafka.invalid:9092'] })).status).toBe(422);
    const topic = await newTopic();
    const sasl = { mechanism: 'plain', username: 'u', password: 'hush-hush' };
    const put = await theirs.put(topic, { sasl });
    expect(JSON.stringify(put.body)).not.toContain('hush-hush');
    expect((await theirs.put('other')).body).toMatchObject({ status: 409, field: '/topic' });
    const reader = apiOf(await tokenOf(theirs.tenant, ['editor']));
    expect((await reader('DELETE', '/v1/integrations/topics/theirs')).status).toBe(403);
    expect((await reader('GET', '/v1/integrations/topics')).body.items).toHaveLength(1);
  });
});
