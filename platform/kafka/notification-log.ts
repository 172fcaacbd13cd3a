import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { topics } from '#domain/topics.ts';
import type { Logger } from '../logger.ts';
import { LastingConsumer } from './lasting-consumer.ts';

/** The topics that people are notified from. */
export const notificationTopics = [topics.changes, topics.impacts, topics.incidents] as const;

export type NotificationTopic = (typeof notificationTopics)[number];

/** For each topic and partition the offset of the next message to see: all before it has been seen. */
export type Positions = Record<NotificationTopic, number[]>;

export function emptyPositions(): Positions {
  return { [topics.changes]: [], [topics.impacts]: [], [topics.incidents]: [] };
}

export function copyPositions(positions: Positions): Positions {
  return {
    [topics.changes]: [...positions[topics.changes]],
    [topics.impacts]: [...positions[topics.impacts]],
    [topics.incidents]: [...positions[topics.incidents]],
  };
}

/** One message of the log. */
export interface LogMessage {
  topic: NotificationTopic;
  partition: number;
  offset: number;
  key: string;
  value: Buffer;
}

export interface LiveListener {
  /** Called in order within a partition, after the positions have moved past the message. */
  onMessage(message: LogMessage): void;
  /** Kafka no longer has something that was not seen yet. */
  onGap(): void;
  /** A receipt that is addressed to this instance, as JSON. */
  onReceipt(value: Buffer): void;
}

export interface LiveLogOptions {
  /** The consumer groups begin with this: they are an instance's own, so that every instance sees everything. */
  groupPrefix: string;
  /** Key of the receipts that are ours. */
  instanceId: string;
  listener: LiveListener;
  logger: Logger;
}

/**
 * Follows the notification topics, and the receipts, from now on. Offsets are kept here and never committed: they outlive
 * lost connections and rebalances, and the group leaves nothing behind.
 */
export class LiveLog {
  readonly #options: LiveLogOptions;
  readonly #admin: Admin;
  readonly #consumer: LastingConsumer;
  readonly #positions = emptyPositions();
  #receipts: number[] = [];

  constructor(kafka: Kafka, options: LiveLogOptions) {
    this.#options = options;
    this.#admin = kafka.admin();
    this.#consumer = new LastingConsumer(kafka, {
      groupPrefix: options.groupPrefix,
      topics: [...notificationTopics, topics.receipts],
      fromBeginning: false,
      maxWaitMs: 500,
      onJoin: (consumer, assignment) => this.#seek(consumer, assignment),
      onBatch: async (payload) => this.#take(payload),
      logger: options.logger,
    });
  }

  /** The live positions themselves: they move with every message, so copy what you keep. */
  get positions(): Readonly<Positions> {
    return this.#positions;
  }

  /** Whether messages flow, as far as is known. */
  get joined(): boolean {
    return this.#consumer.consumer !== undefined;
  }

  /** Begins at the present end of the topics. Rejects when Kafka is not reachable; call it again then. */
  async start(): Promise<void> {
    await this.#admin.connect();
    const { high } = await this.bounds();
    Object.assign(this.#positions, high);
    this.#receipts = (await offsets(this.#admin, topics.receipts)).map((partition) => partition.high);
    await this.#consumer.start();
  }

  /** What Kafka holds: from the oldest offset that it keeps to the next that it will give. */
  async bounds(): Promise<{ low: Positions; high: Positions }> {
    const low = emptyPositions();
    const high = emptyPositions();
    for (const topic of notificationTopics) {
      for (const bound of await offsets(this.#admin, topic)) {
        low[topic][bound.partition] = bound.low;
        high[topic][bound.partition] = bound.high;
      }
    }
    return { low, high };
  }

  async stop(): Promise<void> {
    await this.#consumer.stop();
    await this.deleteGroup(this.#consumer.groupId);
    await this.#admin.disconnect();
  }

  async deleteGroup(groupId: string): Promise<void> {
    await this.#admin.deleteGroups([groupId]).catch((error: unknown) => {
      this.#options.logger.debug({ err: error, groupId }, 'the consumer group goes by itself later');
    });
  }

  #seek(consumer: Consumer, assignment: Record<string, number[]>): void {
    for (const [topic, partitions] of Object.entries(assignment)) {
      const known = this.#positionsOf(topic);
      // A partition that is new since the start has been seen by nobody: from its first message.
      for (const partition of partitions) consumer.seek({ topic, partition, offset: String((known[partition] ??= 0)) });
    }
  }

  #positionsOf(topic: string): number[] {
    return isNotificationTopic(topic) ? this.#positions[topic] : this.#receipts;
  }

  #take({ batch, isStale }: EachBatchPayload): void {
    if (isStale()) return;
    const { topic, partition } = batch;
    const positions = this.#positionsOf(topic);
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      const expected = positions[partition] ?? 0;
      if (offset < expected) continue;
      positions[partition] = offset + 1;
      const key = message.key?.toString() ?? '';
      const value = message.value ?? Buffer.alloc(0);
      if (!isNotificationTopic(topic)) {
        if (key === this.#options.instanceId) this.#options.listener.onReceipt(value);
        continue;
      }
      if (offset > expected) this.#options.listener.onGap();
      this.#options.listener.onMessage({ topic, partition, offset, key, value });
    }
  }
}

export function isNotificationTopic(topic: string): topic is NotificationTopic {
  return (notificationTopics as readonly string[]).includes(topic);
}

async function offsets(admin: Admin, topic: string): Promise<{ partition: number; low: number; high: number }[]> {
  const found = await admin.fetchTopicOffsets(topic);
  return found.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
}
