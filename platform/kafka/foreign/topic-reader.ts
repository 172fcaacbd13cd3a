import { LilyError } from '#domain/errors.ts';
import type { Logger } from '../../logger.ts';
import { foreignKafka, foreignKafkaError, type ForeignCluster, type ForeignKafka } from './client.ts';
import { clusterOf, kafkaInternals, readCommitted, type Broker, type Cluster, type PartitionData } from './cluster.ts';
import type { Resolve } from './guarded-socket.ts';
import { topicIdentity, type TopicIdentity } from './topic-identity.ts';

export interface TopicMessage {
  offset: number;
  /** Absent in a message that stands for a deletion. */
  value: Buffer | undefined;
}

/** What one fetch gave of one partition. */
export interface FetchedPartition {
  partition: number;
  messages: TopicMessage[];
  /** Where the next fetch goes on: past what was read, also where it held nothing for us. */
  next: number;
  /** Where the partition ends: the offset that its next message will have. */
  end: number;
}

/** Where a partition begins and ends. */
export interface PartitionBounds {
  partition: number;
  first: number;
  end: number;
}

/** The topic was made anew, or went, while it was read. What this fetch gave belongs to nothing that is known. */
export class TopicReplaced extends Error {}

const partitionBytes = 1024 * 1024;
const fetchBytes = 4 * 1024 * 1024;
const maxWaitMs = 250;
const earliest = -2;
const latest = -1;

/**
 * Reads a topic of a foreign cluster from offsets that its owner names: without a consumer group, and without keeping
 * anything there. Every failure is a `LilyError`, `source-unreachable` or `source-refused`, or {@link TopicReplaced}.
 */
export class TopicReader {
  readonly #topic: string;
  readonly #client: ForeignKafka;
  readonly #cluster: Cluster;
  #identity: TopicIdentity | undefined;
  /** Partitions that had more and gave nothing: asked for alone, and in large, the next time. */
  #stuck: number[] = [];

  constructor(cluster: ForeignCluster, topic: string, clientId: string, resolve: Resolve, logger?: Logger) {
    this.#topic = topic;
    this.#client = foreignKafka(cluster, clientId, resolve, logger);
    this.#cluster = clusterOf(this.#client.kafka);
  }

  /** Connects, and finds out which topic this is. */
  async open(): Promise<TopicIdentity> {
    return this.#told(async () => {
      await this.#cluster.connect();
      await this.#cluster.addTargetTopic(this.#topic);
      const [leader] = await this.#leaders();
      this.#identity = leader && (await topicIdentity(leader.broker, this.#topic));
      if (this.#identity === undefined) throw unknown(this.#topic);
      return this.#identity;
    });
  }

  /** Looks again for partitions, and for who leads them. */
  async refresh(): Promise<number[]> {
    return this.#told(async () => {
      await this.#cluster.refreshMetadata();
      return this.partitions();
    });
  }

  partitions(): number[] {
    return this.#cluster
      .findTopicPartitionMetadata(this.#topic)
      .map(({ partitionId }) => partitionId)
      .sort((one, other) => one - other);
  }

  async bounds(): Promise<PartitionBounds[]> {
    return this.#told(async () => {
      const bounds = new Map<number, PartitionBounds>();
      for (const { broker, partitions } of await this.#leaders()) {
        for (const timestamp of [earliest, latest]) {
          const asked = partitions.map((partition) => ({ partition, timestamp }));
          const { responses } = await broker.listOffsets({
            isolationLevel: readCommitted,
            topics: [{ topic: this.#topic, partitions: asked }],
          });
          for (const { partition, offset } of responses.flatMap((response) => response.partitions)) {
            const known = bounds.get(partition) ?? { partition, first: 0, end: 0 };
            bounds.set(partition, { ...known, [timestamp === earliest ? 'first' : 'end']: Number(offset) });
          }
        }
      }
      return [...bounds.values()];
    });
  }

  /**
   * Fetches what follows the positions, at most about 4 MiB from each broker, and waits a moment when there is nothing.
   * @throws TopicReplaced when the topic is no longer the one that was opened
   */
  async fetch(positions: ReadonlyMap<number, number>): Promise<FetchedPartition[]> {
    return this.#told(async () => {
      const [alone] = this.#stuck;
      const wanted = alone === undefined ? [...positions.keys()] : [alone];
      const fetched = await Promise.all(
        (await this.#leaders(wanted)).map(async ({ broker, partitions }) => {
          const { responses } = await broker.fetch({
            isolationLevel: readCommitted,
            maxWaitTime: maxWaitMs,
            minBytes: 1,
            maxBytes: fetchBytes,
            topics: [
              {
                topic: this.#topic,
                partitions: partitions.map((partition) => ({
                  partition,
                  fetchOffset: String(positions.get(partition) ?? 0),
                  maxBytes: alone === undefined ? partitionBytes : fetchBytes,
                })),
              },
            ],
          });
          const data = responses.flatMap((response) => response.partitions);
          // The name may belong to another topic by now, which has other messages at the same offsets. Ids never come again:
          // the same one after the fetch as before it means that it was the same all along.
          if (data.some(({ messages }) => messages.length > 0)) await this.#checkIdentity(broker);
          return data;
        }),
      );
      this.#stuck = this.#stuck.slice(1);
      return fetched.flat().map((data) => this.#read(data, positions.get(data.partition) ?? 0, alone !== undefined));
    });
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => undefined);
  }

  #read(data: PartitionData, from: number, alone: boolean): FetchedPartition {
    const { partition, highWatermark, lastStableOffset } = data;
    const end = Number(highWatermark);
    const last = data.messages.at(-1);
    if (last === undefined) {
      const hasMore = from < Number(lastStableOffset ?? highWatermark);
      // Asked for alone and still nothing: a batch of which compaction has left nothing. A step further it, or the next one, is found.
      if (hasMore && alone) return { partition, messages: [], next: from + 1, end };
      if (hasMore) this.#stuck.push(partition);
      return { partition, messages: [], next: from, end };
    }
    const messages = new kafkaInternals.Batch(this.#topic, String(from), data).messages.map((message) => ({
      offset: Number(message.offset),
      value: message.value ?? undefined,
    }));
    return { partition, messages, next: Math.max(from, Number(last.offset) + 1), end };
  }

  async #checkIdentity(broker: Broker): Promise<void> {
    const now = await topicIdentity(broker, this.#topic);
    if (now?.topicId !== this.#identity?.topicId) throw new TopicReplaced();
  }

  async #leaders(partitions = this.partitions()): Promise<{ broker: Broker; partitions: number[] }[]> {
    const byNode = this.#cluster.findLeaderForPartitions(this.#topic, partitions);
    return Promise.all(
      Object.entries(byNode).map(async ([nodeId, own]) => ({
        broker: await this.#cluster.findBroker({ nodeId }),
        partitions: own,
      })),
    );
  }

  async #told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TopicReplaced) throw error;
      const { type } = error as { type?: unknown };
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') throw unknown(this.#topic, error);
      // Of several partitions one does not say which; whoever reads looks at the bounds of all of them again.
      if (type === 'OFFSET_OUT_OF_RANGE') throw new TopicReplaced();
      throw foreignKafkaError(error, this.#client.refusal());
    }
  }
}

function unknown(topic: string, cause?: unknown): LilyError {
  return new LilyError('source-unreachable', `The cluster has no topic ${topic}, or does not let it be read.`, {
    cause,
  });
}
