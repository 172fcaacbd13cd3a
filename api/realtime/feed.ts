import type { Receipt } from '#domain/transformation/batch.ts';
import type { createKafka } from '#platform/kafka/client.ts';
import type { Logger } from '#platform/logger.ts';
import { LiveLog, type Positions } from '#platform/kafka/notification-log.ts';
import { ReplayLog } from '#platform/kafka/replay-log.ts';
import { Hub } from './hub.ts';
import { anyBefore } from './position.ts';
import { Resumption } from './resumption.ts';
import type { Session } from './session.ts';

export interface FeedOptions {
  instanceId: string;
  logger: Logger;
  onReceipt: (receipt: Receipt) => void;
}

/** Brings what happens in Lily from Kafka to the sessions of this instance. */
export class NotificationFeed {
  readonly hub = new Hub();
  readonly #live: LiveLog;
  readonly #replay: ReplayLog;
  readonly #resumption: Resumption;
  #started = { live: false, replay: false };

  constructor(kafka: ReturnType<typeof createKafka>, { instanceId, logger, onReceipt }: FeedOptions) {
    const groupPrefix = `lily-api-${instanceId}`;
    const listener = {
      onMessage: (message: Parameters<Hub['publish']>[0]) => this.hub.publish(message, this.#live.positions),
      onGap: () => {
        for (const session of this.hub.all()) session.gap(this.#live.positions);
      },
      onReceipt: (value: Buffer) => onReceipt(JSON.parse(value.toString()) as Receipt),
    };
    this.#live = new LiveLog(kafka, { groupPrefix, instanceId, listener, logger });
    this.#replay = new ReplayLog(kafka, `${groupPrefix}-replay`, logger);
    this.#resumption = new Resumption(this.#live, this.#replay, logger);
  }

  /** Whether clients can be served. */
  get ready(): boolean {
    return this.#started.live && this.#started.replay;
  }

  /** Rejects when Kafka is not reachable; call it again then. */
  async start(): Promise<void> {
    if (!this.#started.live) await this.#live.start();
    this.#started.live = true;
    if (!this.#started.replay) await this.#replay.start();
    this.#started.replay = true;
  }

  /** Rejects when Kafka does not answer, or when nothing flows from it. */
  async probe(): Promise<void> {
    if (!this.ready || !this.#live.joined) throw new Error('has not given this instance its notifications yet');
    await this.#live.bounds();
  }

  /** Takes a client in: from now on, or from what it has seen. */
  join(session: Session, seen: Positions | undefined): void {
    this.hub.add(session);
    const { positions } = this.#live;
    const isHere = seen !== undefined && !anyBefore(seen, positions) && !anyBefore(positions, seen);
    if (seen === undefined || isHere) session.hello(positions);
    else this.#resumption.resume(session, seen);
  }

  async stop(): Promise<void> {
    this.#started = { live: false, replay: false };
    await this.#replay.stop();
    await this.#live.deleteGroup(this.#replay.groupId);
    await this.#live.stop();
  }
}
