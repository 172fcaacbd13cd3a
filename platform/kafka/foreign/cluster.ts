import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';

/**
 * What kafkajs has inside and does not offer: reading partitions without a consumer group. kafkajs 2.2.4 is pinned, and
 * its consumer reads only as a member of a group; a topic that is followed needs no group, no rebalancing, and no right
 * of the tenant's to either (docs/adr/0017).
 */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** @throws when the topic does not exist, or may not be seen */
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  /** Partitions by the id of the node that leads them. */
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
  findBroker(query: { nodeId: string }): Promise<Broker>;
}

export interface Broker {
  /** The newest version that the broker knows of each request, by its API key. */
  versions: Record<number, { maxVersion: number } | undefined>;
  connectionPool: { send<Answer>(exchange: Exchange<Answer>): Promise<Answer> };
  listOffsets(query: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  fetch(query: {
    isolationLevel: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { topicName: string; partitions: PartitionData[] }[] }>;
}

/** A request that kafkajs does not know, with its own encoding. */
export interface Exchange<Answer> {
  request: { apiKey: number; apiVersion: number; apiName: string; encode: () => Promise<Encoder> };
  response: { decode: (bytes: Buffer) => Promise<Answer>; parse: (answer: Answer) => Promise<Answer> };
}

export interface Encoder {
  writeInt8(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeBuffer(value: Buffer): Encoder;
}

export interface PartitionData {
  partition: number;
  highWatermark: string;
  lastStableOffset?: string;
  messages: WireMessage[];
}

export interface WireMessage {
  offset: string;
  value: Buffer | null;
  isControlRecord?: boolean;
}

/** The messages of a fetch as kafkajs's own consumer sees them: from the offset on, without aborted ones and markers. */
interface Batch {
  messages: WireMessage[];
}

interface Internals {
  Encoder: new () => Encoder;
  Batch: new (topic: string, fetchedOffset: string, data: PartitionData) => Batch;
}

const require = createRequire(import.meta.url);

export const kafkaInternals: Internals = {
  Encoder: require('kafkajs/src/protocol/encoder') as Internals['Encoder'],
  Batch: require('kafkajs/src/consumer/batch') as Internals['Batch'],
};

/** Only what was committed, where a producer uses transactions. */
export const readCommitted = 1;

export function clusterOf(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (symbol === undefined) throw new Error('this version of kafkajs makes its clusters in another way');
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol];
  if (create === undefined) throw new Error('this version of kafkajs makes its clusters in another way');
  return create.call(kafka, { metadataMaxAge: 60_000, allowAutoTopicCreation: false, isolationLevel: readCommitted });
}
