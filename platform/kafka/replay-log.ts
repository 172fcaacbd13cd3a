import type { EachBatchPayload, Kafka } from 'kafkajs';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '../logger.ts';
import { LastingConsumer } from './lasting-consumer.ts';
import {
  copyPositions,
  isNotificationTopic,
  notificationTopics,
  type LogMessage,
  type NotificationTopic,
  type Positions,
} from './notification-log.ts';

export interface ReplayHandler {
  /** Called in order within a partition; `positions` are past the message already. Reading waits for the promise. */
  onMessage(message: LogMessage, positions: Readonly<Positions>): Promise<void> | void;
  /** Kafka no longer has something that should have come next. */
  onGap(positions: Readonly<Positions>): void;
}

interface Pass {
  positions: Positions;
  target: Positions;
  handler: ReplayHandler;
  movedAt: number;
  end: (error?: unknown) => void;
}

/** How soon a pass begins, and how often a paused consumer looks up. */
const idleWaitMs = 200;
const stallMs = 15_000;
const heartbeatEvery = 500;

/**
 * Reads stretches of the notification topics again. kafkajs reads partitions only as a member of a group, so this keeps a
 * member that holds all of them paused, and lets it read on demand. One pass at a time; offsets are never committed.
 */
export class ReplayLog {
  readonly #consumer: LastingConsumer;
  #pass: Pass | undefined;

  constructor(kafka: Kafka, groupPrefix: string, logger: Logger) {
    this.#consumer = new LastingConsumer(kafka, {
      groupPrefix,
      topics: notificationTopics,
      fromBeginning: true,
      maxWaitMs: idleWaitMs,
      onJoin: () => this.#arm(),
      onBatch: (payload) => this.#take(payload),
      logger,
    });
  }

  get groupId(): string {
    return this.#consumer.groupId;
  }

  start(): Promise<void> {
    return this.#consumer.start();
  }

  async stop(): Promise<void> {
    this.#pass?.end(new LilyError('unavailable', 'This instance is shutting down'));
    await this.#consumer.stop();
  }

  /** Reads everything from `from` up to, not including, `target`. @throws LilyError `unavailable` when nothing comes for long. */
  async read(from: Positions, target: Positions, handler: ReplayHandler): Promise<void> {
    if (this.#pass !== undefined) throw new Error('a replay is under way already');
    const stall = setInterval(() => {
      const pass = this.#pass;
      if (pass !== undefined && Date.now() - pass.movedAt > stallMs) {
        pass.end(new LilyError('unavailable', 'Kafka gives nothing to replay; try again shortly'));
      }
    }, 1_000);
    try {
      await new Promise<void>((resolve, reject) => {
        const end = (error?: unknown) => (error === undefined ? resolve() : reject(error));
        this.#pass = { positions: copyPositions(from), target, handler, movedAt: Date.now(), end };
        this.#arm();
        this.#endIfDone(this.#pass);
      });
    } finally {
      clearInterval(stall);
      this.#pass = undefined;
      this.#arm();
    }
  }

  /** Points the consumer to where the pass is, and lets only that be read. While no group is joined, joining one arms again. */
  #arm(): void {
    for (const topic of notificationTopics) {
      for (const partition of this.#openPartitions(topic)) {
        const offset = String(this.#pass?.positions[topic][partition] ?? 0);
        this.#consumer.consumer?.seek({ topic, partition, offset });
      }
      this.#narrow(topic);
    }
  }

  /** Lets only the partitions be read that the pass has not finished. (Pausing one partition would resume the others.) */
  #narrow(topic: NotificationTopic): void {
    const partitions = this.#openPartitions(topic);
    this.#consumer.consumer?.pause([{ topic }]);
    if (partitions.length > 0) this.#consumer.consumer?.resume([{ topic, partitions }]);
  }

  #openPartitions(topic: NotificationTopic): number[] {
    const pass = this.#pass;
    if (pass === undefined) return [];
    return pass.target[topic].flatMap((end, partition) =>
      (pass.positions[topic][partition] ?? 0) < end ? [partition] : [],
    );
  }

  async #take({ batch, isStale, isRunning, heartbeat }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch;
    const pass = this.#pass;
    if (pass === undefined || !isNotificationTopic(topic)) return;
    const end = pass.target[topic][partition] ?? 0;
    let count = 0;
    for (const message of batch.messages) {
      if (isStale() || !isRunning() || this.#pass !== pass) return;
      const offset = Number(message.offset);
      const expected = pass.positions[topic][partition] ?? 0;
      if (expected >= end) break;
      if (offset < expected) continue;
      if (offset > expected) pass.handler.onGap(pass.positions);
      pass.positions[topic][partition] = Math.min(offset + 1, end);
      pass.movedAt = Date.now();
      if (offset >= end) break;
      const key = message.key?.toString() ?? '';
      await pass.handler.onMessage(
        { topic, partition, offset, key, value: message.value ?? Buffer.alloc(0) },
        pass.positions,
      );
      if (++count % heartbeatEvery === 0) await heartbeat();
    }
    this.#narrow(topic);
    this.#endIfDone(pass);
  }

  #endIfDone(pass: Pass): void {
    if (notificationTopics.every((topic) => this.#openPartitions(topic).length === 0)) pass.end();
  }
}
