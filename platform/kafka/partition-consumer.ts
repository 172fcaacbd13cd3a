import type { Consumer, EachBatchPayload, IHeaders, Kafka } from 'kafkajs';
import type { Topic } from '#domain/topics.ts';
import type { Logger } from '../logger.ts';
import { PartitionLane, type BatchHandler, type KafkaRecord } from './partition-lane.ts';

export interface PartitionConsumerOptions {
  groupId: string;
  topic: Topic;
  handler: BatchHandler;
  /** Records in one batch, at most. */
  batchRecords: number;
  logger: Logger;
}

/** How soon a worker that died is noticed, and its partitions go to another: records wait that long. */
const sessionTimeoutMs = 10_000;
const heartbeatIntervalMs = 2_000;

/**
 * Consumes a topic in batches, one lane a partition. Offsets are committed only after the handler has made a batch durable;
 * a rebalance or a crash makes Kafka deliver again from there.
 */
export class PartitionConsumer {
  readonly #options: PartitionConsumerOptions;
  readonly #consumer: Consumer;
  readonly #lanes = new Map<number, PartitionLane>();
  #stopping = false;

  constructor(kafka: Kafka, options: PartitionConsumerOptions) {
    this.#options = options;
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      rebalanceTimeout: 20_000,
      maxBytesPerPartition: 2 * 1024 * 1024,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries: 20, restartOnFailure: async () => !this.#stopping },
    });
    // Whoever joins the group starts at the last commit, so whatever waits here would come twice.
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, () => this.#closeLanes());
  }

  async start(): Promise<void> {
    const { topic } = this.#options;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [topic], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 16,
      eachBatch: (payload) => this.#take(payload),
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#closeLanes();
    await this.#consumer.disconnect();
  }

  /** Moves a fetched batch into its lane and lets Kafka go on; waits, with heartbeats, while the lane is full. */
  async #take({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const lane = this.#laneOf(batch.partition);
    while (lane.isFull) {
      if (!isRunning() || isStale() || this.#lanes.get(batch.partition) !== lane) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
      await heartbeat();
    }
    if (!isRunning() || isStale()) return;
    lane.add(
      batch.messages.map((message): KafkaRecord => ({
        offset: Number(message.offset),
        key: message.key?.toString() ?? '',
        value: message.value ?? Buffer.alloc(0),
        headers: textHeaders(message.headers),
        timestamp: Number(message.timestamp),
      })),
    );
    resolveOffset(batch.lastOffset());
    await heartbeat();
  }

  #laneOf(partition: number): PartitionLane {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      const { topic, handler, batchRecords, logger } = this.#options;
      lane = new PartitionLane({
        partition,
        handler,
        batchRecords,
        logger,
        commit: (next) => this.#consumer.commitOffsets([{ topic, partition, offset: String(next) }]),
      });
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  #closeLanes(): void {
    for (const lane of this.#lanes.values()) lane.close();
    this.#lanes.clear();
  }
}

function textHeaders(headers: IHeaders | undefined): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    const single = Array.isArray(value) ? value[0] : value;
    if (single !== undefined) text[name] = single.toString();
  }
  return text;
}
