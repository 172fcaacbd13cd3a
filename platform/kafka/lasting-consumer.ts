import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from '../logger.ts';

export interface LastingConsumerOptions {
  /** Each consumer's group begins with this. */
  groupPrefix: string;
  topics: readonly string[];
  fromBeginning: boolean;
  /** Longest that a fetch waits for something new. */
  maxWaitMs: number;
  /** Called whenever a group is joined, before anything is read: seek, pause and resume here. */
  onJoin: (consumer: Consumer, assignment: Record<string, number[]>) => void;
  onBatch: (payload: EachBatchPayload) => Promise<void>;
  logger: Logger;
}

const pauseMs = 500;

/**
 * Consumes for as long as it is wanted, without committing offsets: its owner knows them. When a consumer fails for good,
 * a new one takes over in a new group, because the old group would make it wait until its lost member's session ends.
 */
export class LastingConsumer {
  readonly #kafka: Kafka;
  readonly #options: LastingConsumerOptions;
  #consumer: Consumer | undefined;
  #generation = 0;
  #joined = false;
  #stopping = false;

  constructor(kafka: Kafka, options: LastingConsumerOptions) {
    this.#kafka = kafka;
    this.#options = options;
  }

  /** Undefined until the first group is joined, and while there is none. */
  get consumer(): Consumer | undefined {
    return this.#joined ? this.#consumer : undefined;
  }

  get groupId(): string {
    return `${this.#options.groupPrefix}-${this.#generation}`;
  }

  /** Rejects when Kafka is not reachable; call it again then. */
  async start(): Promise<void> {
    const { topics, fromBeginning, maxWaitMs, onJoin, onBatch } = this.#options;
    this.#generation += 1;
    const consumer = this.#kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: 30_000,
      maxWaitTimeInMs: maxWaitMs,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 200, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (this.#consumer !== consumer) return;
      this.#joined = true;
      onJoin(consumer, payload.memberAssignment);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (this.#consumer === consumer) void this.#takeOver(payload.error);
    });
    this.#consumer = consumer;
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning });
      await consumer.run({ autoCommit: false, eachBatch: onBatch });
    } catch (error) {
      await consumer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#joined = false;
    await this.#consumer?.disconnect();
  }

  async #takeOver(error: Error): Promise<void> {
    this.#joined = false;
    this.#options.logger.warn(
      { group: this.groupId, reason: error.message },
      'a consumer failed; a new one takes over',
    );
    while (!this.#stopping) {
      await sleep(pauseMs);
      try {
        return await this.start();
      } catch (failure) {
        const reason = failure instanceof Error ? failure.message : String(failure);
        this.#options.logger.warn({ group: this.groupId, reason }, 'the new consumer cannot reach Kafka yet');
      }
    }
  }
}
