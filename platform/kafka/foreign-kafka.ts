import kafkajs, { Kafka, logLevel, type Admin, type KafkaConfig } from 'kafkajs';
import { brokerOf, type KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { LilyError } from '#domain/errors.ts';
import type { ByteMeter } from '../byte-meter.ts';
import { connectGuarded } from '../guarded-socket.ts';
import { boundDecompression } from './codecs.ts';
import { calmIdleConnections } from './idle-timer.ts';
import {
  latestRecords,
  openReader,
  type Latest,
  type LatestPlan,
  type Offsets,
  type Reader,
} from './latest-records.ts';

// Node finds only some of the names that kafkajs exports.
const { ConfigResourceTypes } = kafkajs;

const connectTimeoutMs = 10_000;
const requestTimeoutMs = 20_000;
const configsAtOnce = 50;

export interface ForeignTopic {
  name: string;
  partitions: number;
  /** Replicas of each partition, as many as the first one has. */
  replicas: number;
}

/** A cluster of a tenant's, as a crawl reads it: nothing is written, no group is joined. */
export interface ForeignKafka {
  clusterId(): Promise<string>;
  topics(): Promise<ForeignTopic[]>;
  /** What the cluster says of a topic by its name. */
  lookUp(topic: string): Promise<'there' | 'absent' | 'denied'>;
  /** Settings of topics by their names; of a topic whose settings may not be read there are none. */
  settings(topics: string[]): Promise<Map<string, Map<string, string>>>;
  offsets(topic: string): Promise<Offsets[]>;
  /** The last records of a topic, partition by partition. */
  latest(topic: string, plan: LatestPlan): Promise<Latest>;
  /** Bytes that all brokers have sent so far. */
  readonly bytes: number;
  close(): Promise<void>;
}

export interface ForeignKafkaOptions {
  allowPrivate: boolean;
  meter: ByteMeter;
  connect?: typeof connectGuarded;
}

/**
 * Signs in to a cluster. Every broker is judged when it is connected to: those that the source names, and those that the cluster
 * advertises. Throws what the address guard or kafkajs says.
 */
export async function openForeignKafka(
  source: KafkaSource,
  { allowPrivate, meter, connect = connectGuarded }: ForeignKafkaOptions,
): Promise<ForeignKafka> {
  calmIdleConnections();
  boundDecompression();
  const { tls = 'disable', sasl } = source;
  let refusal: LilyError | undefined;
  const config: KafkaConfig = {
    clientId: 'lily',
    brokers: source.brokers.map((broker) => {
      const { host, port } = brokerOf(broker);
      return `${host}:${port}`;
    }),
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 2 },
    logLevel: logLevel.NOTHING,
    ...(sasl === undefined ? {} : { sasl: { ...sasl, username: sasl.username } }),
    socketFactory: ({ host, port, onConnect }) => {
      const encryption = tls === 'disable' ? undefined : { verify: tls === 'verify-full' };
      const socket = connect({ host, port, allowPrivate, tls: encryption }, onConnect);
      meter.watch(socket);
      return socket.on('error', (error) => {
        if (error instanceof LilyError) refusal ??= error;
      });
    },
  } as KafkaConfig;
  const kafka = new Kafka(config);
  const admin = kafka.admin();
  let reader: Promise<Reader> | undefined;
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    meter.beginAnswer();
    try {
      return await work();
    } catch (error) {
      // kafkajs passes over a broker that cannot be reached, and tells of the last thing that went wrong.
      throw refusal ?? error;
    }
  };
  await guard(() => admin.connect()).catch(async (error: unknown) => {
    await admin.disconnect().catch(() => undefined);
    throw error;
  });
  return {
    clusterId: () => guard(async () => (await admin.describeCluster()).clusterId),
    topics: () => guard(() => readTopics(admin)),
    lookUp: (topic) => guard(() => lookUp(admin, topic)),
    settings: (topics) => guard(() => readSettings(admin, topics)),
    offsets: (topic) => guard(() => readOffsets(admin, topic)),
    latest: (topic, plan) =>
      guard(async () => {
        reader ??= openReader(kafka);
        return latestRecords(await reader, topic, plan);
      }),
    get bytes() {
      return meter.bytes;
    },
    async close() {
      await (await reader?.catch(() => undefined))?.disconnect().catch(() => undefined);
      await admin.disconnect().catch(() => undefined);
    },
  };
}

async function readTopics(admin: Admin): Promise<ForeignTopic[]> {
  const { topics } = await admin.fetchTopicMetadata();
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    replicas: partitions[0]?.replicas.length ?? 0,
  }));
}

/** A client of kafkajs for administration never lets a topic come into being by being asked for. */
async function lookUp(admin: Admin, topic: string): Promise<'there' | 'absent' | 'denied'> {
  try {
    await admin.fetchTopicMetadata({ topics: [topic] });
    return 'there';
  } catch (error) {
    const type = kafkaErrorType(error);
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 'absent';
    if (type === 'TOPIC_AUTHORIZATION_FAILED') return 'denied';
    throw error;
  }
}

async function readSettings(admin: Admin, topics: string[]): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>();
  for (let first = 0; first < topics.length; first += configsAtOnce) {
    const some = topics.slice(first, first + configsAtOnce);
    for (const [topic, settings] of await describe(admin, some)) found.set(topic, settings);
  }
  return found;
}

/** One topic whose settings may not be read fails the whole request, so then each is asked for alone. */
async function describe(admin: Admin, topics: string[]): Promise<[string, Map<string, string>][]> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
    });
    return resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(
        configEntries
          .filter(({ isSensitive }) => !isSensitive)
          .map(({ configName, configValue }) => [configName, configValue]),
      ),
    ]);
  } catch (error) {
    if (kafkaErrorType(error)?.endsWith('AUTHORIZATION_FAILED') !== true) throw error;
    if (topics.length === 1) return [];
    const each = await Promise.all(topics.map((topic) => describe(admin, [topic])));
    return each.flat();
  }
}

async function readOffsets(admin: Admin, topic: string): Promise<Offsets[]> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets
    .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
    .sort((a, b) => a.partition - b.partition);
}

/** The name that Kafka's protocol gives an error, through what kafkajs wraps around it. */
export function kafkaErrorType(error: unknown): string | undefined {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth += 1) {
    if ('type' in one && typeof one.type === 'string') return one.type;
  }
  return undefined;
}
