import type { Kafka } from 'kafkajs';

/** Where a partition begins and ends. */
export interface Offsets {
  partition: number;
  low: number;
  high: number;
}

/** What of a topic is to be read. */
export interface LatestPlan {
  offsets: readonly Offsets[];
  /** Records, spread over the partitions. */
  limit: number;
  bytes: number;
  timeMs: number;
}

export interface ForeignRecord {
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
}

export interface Latest {
  records: ForeignRecord[];
  /** Whether these are all records of the topic. */
  isWhole: boolean;
}

interface FetchedMessage {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  isControlRecord?: boolean;
}

interface Broker {
  fetch(request: object): Promise<{
    responses: { topicName: string; partitions: { partition: number; messages: FetchedMessage[] }[] }[];
  }>;
}

/** kafkajs's own client of a cluster, below its consumers. */
export interface Reader {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  findBroker(of: { nodeId: number }): Promise<Broker>;
}

const uncommitted = 0;
const fetchBytes = 1024 * 1024;
const fetchWaitMs = 300;

/**
 * kafkajs reads records only as a member of a group. A group on a tenant's cluster would need rights of its own, take seconds to form
 * and be seen by its owners, so this takes the client that kafkajs's consumers themselves read through.
 */
export async function openReader(kafka: Kafka): Promise<Reader> {
  const symbol = Object.getOwnPropertySymbols(kafka).find((one) => one.description === 'private:Kafka:createCluster');
  if (symbol === undefined) throw new Error('this kafkajs has no cluster to read through');
  const createCluster = Reflect.get(kafka, symbol) as (options: object) => Reader;
  const reader = createCluster({
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    isolationLevel: uncommitted,
  });
  await reader.connect();
  return reader;
}

/** Whether the last records of each partition are all that there are: `limit` is spread over the partitions that have any. */
export function fitsWhole(offsets: readonly Offsets[], limit: number): boolean {
  const share = shareOf(offsets, limit);
  return offsets.every(({ low, high }) => high - low <= share);
}

function shareOf(offsets: readonly Offsets[], limit: number): number {
  return Math.ceil(limit / Math.max(1, offsets.filter(({ low, high }) => high > low).length));
}

/** The last records of each partition, at the same places as long as nothing is written; fewer where bytes or time run out. */
export async function latestRecords(reader: Reader, topic: string, plan: LatestPlan): Promise<Latest> {
  const { offsets, limit, bytes, timeMs } = plan;
  const filled = offsets.filter(({ low, high }) => high > low);
  const share = shareOf(offsets, limit);
  const next = new Map(filled.map(({ partition, low, high }) => [partition, Math.max(low, high - share)]));
  const ends = new Map(filled.map(({ partition, high }) => [partition, high]));
  const found: ForeignRecord[] = [];
  const deadline = Date.now() + timeMs;
  let left = bytes;
  await reader.addTargetTopic(topic);
  while (next.size > 0 && Date.now() < deadline && left > 0) {
    const leaders = Map.groupBy(reader.findTopicPartitionMetadata(topic), ({ leader }) => leader);
    let progress = false;
    for (const [nodeId, led] of leaders) {
      const partitions = led.flatMap(({ partitionId: partition }) => {
        const fetchOffset = next.get(partition);
        return fetchOffset === undefined ? [] : [{ partition, fetchOffset: String(fetchOffset), maxBytes: fetchBytes }];
      });
      if (partitions.length === 0) continue;
      const broker = await reader.findBroker({ nodeId });
      const { responses } = await broker.fetch({
        replicaId: -1,
        isolationLevel: uncommitted,
        maxWaitTime: fetchWaitMs,
        minBytes: 1,
        maxBytes: 4 * fetchBytes,
        topics: [{ topic, partitions }],
      });
      for (const { partition, messages } of responses.flatMap((response) => response.partitions)) {
        const [from, end] = [next.get(partition) ?? 0, ends.get(partition) ?? 0];
        for (const { offset: text, key, value, isControlRecord } of messages) {
          const offset = Number(text);
          // A batch comes whole, so it may begin before what was asked for, and go on behind it.
          if (offset < from || offset >= end) continue;
          progress = true;
          next.set(partition, offset + 1);
          left -= (key?.length ?? 0) + (value?.length ?? 0);
          if (isControlRecord !== true) found.push({ partition, offset, key, value });
        }
        if ((next.get(partition) ?? 0) >= end) next.delete(partition);
      }
    }
    // What is left are places without records: removed by compaction, or marks of transactions.
    if (!progress) break;
  }
  const isWhole = next.size === 0 && fitsWhole(offsets, limit);
  return { records: found.sort((a, b) => a.partition - b.partition || a.offset - b.offset), isWhole };
}
