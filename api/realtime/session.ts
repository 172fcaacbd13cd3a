import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { copyPositions, type Positions } from '#platform/kafka/notification-log.ts';
import { serialize, type Incoming, type Notification } from './notification.ts';
import { anyBefore, encodePositions, furthest } from './position.ts';
import { wants, type Subscription } from './subscription.ts';

/** Why a connection is closed. 4xxx are Lily's own. */
export const closeCodes = { shutdown: 1001, tooSlow: 1013, badLastId: 4400, expired: 4401 } as const;

/** Bytes that may wait for one slow client. */
const mostWaitingBytes = 1_000_000;
const drainedBytes = 100_000;
const drainTimeoutMs = 10_000;
/** Live messages that may gather while a client is still given the past. */
const mostGathered = 10_000;

interface Gathered {
  notification: Notification;
  id: string;
}

/**
 * One client. It is either live, or is given the past; live messages gather meanwhile and follow, so that nothing is
 * missed or comes twice in between.
 */
export class Session {
  readonly tenantId: string;
  readonly #socket: WebSocket;
  readonly #subscription: Subscription;
  /** What the client has seen already, where another instance was ahead of this one. */
  #ahead: Positions | undefined;
  #gathered: Gathered[] | undefined;
  #overflowed = false;

  constructor(socket: WebSocket, tenantId: string, subscription: Subscription) {
    this.#socket = socket;
    this.tenantId = tenantId;
    this.#subscription = subscription;
  }

  get open(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  hello(positions: Readonly<Positions>): void {
    this.#send(JSON.stringify({ type: 'hello', id: encodePositions(positions) }));
  }

  gap(positions: Readonly<Positions>): void {
    const detail = 'Some messages are no longer kept; read the present state anew';
    this.#send(JSON.stringify({ type: 'gap', id: encodePositions(positions), detail }));
  }

  /** Takes a live message. `positions` are past it; `textOf` makes, once for all clients, what most of them are sent. */
  live(incoming: Incoming, positions: Readonly<Positions>, textOf: (notification: Notification) => string): void {
    if (!this.open || this.#seen(incoming, positions) || !wants(this.#subscription, incoming)) return;
    const { notification } = incoming;
    if (notification === undefined) return;
    if (this.#gathered !== undefined) this.#gather({ notification, id: this.#idAt(positions) });
    else if (this.#ahead !== undefined) this.#send(serialize(notification, this.#idAt(positions)));
    else this.#send(textOf(notification));
  }

  /** From now on live messages gather, but for those that the client has seen through another instance. */
  gather(seen: Readonly<Positions>): void {
    this.#ahead = copyPositions(seen);
    this.#gathered = [];
    this.#overflowed = false;
  }

  /** Sends a message of the past, and waits while the client is slow. */
  async past(incoming: Incoming, positions: Readonly<Positions>): Promise<void> {
    if (!this.open || !wants(this.#subscription, incoming) || incoming.notification === undefined) return;
    this.#send(serialize(incoming.notification, encodePositions(positions)));
    await this.#drained();
  }

  /**
   * Sends what gathered and becomes live.
   * Gives false when too much gathered: the past must be given again from where it ended.
   */
  async goLive(): Promise<boolean> {
    if (this.#overflowed) return false;
    while (this.open && this.#gathered !== undefined && this.#gathered.length > 0) {
      for (const { notification, id } of this.#gathered.splice(0, 100)) this.#send(serialize(notification, id));
      await this.#drained();
      if (this.#overflowed) this.close(closeCodes.tooSlow, tooSlowReason);
    }
    this.#gathered = undefined;
    return true;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  #seen({ message }: Incoming, positions: Readonly<Positions>): boolean {
    if (this.#ahead === undefined) return false;
    const seen = message.offset < (this.#ahead[message.topic][message.partition] ?? 0);
    if (!anyBefore(positions, this.#ahead)) this.#ahead = undefined;
    return seen;
  }

  #idAt(positions: Readonly<Positions>): string {
    return encodePositions(this.#ahead === undefined ? positions : furthest(positions, this.#ahead));
  }

  #gather(message: Gathered): void {
    if (this.#gathered === undefined || this.#overflowed) return;
    this.#gathered.push(message);
    if (this.#gathered.length <= mostGathered) return;
    this.#overflowed = true;
    this.#gathered = [];
  }

  #send(text: string): void {
    if (!this.open) return;
    if (this.#socket.bufferedAmount > mostWaitingBytes) {
      this.close(closeCodes.tooSlow, tooSlowReason);
      return;
    }
    this.#socket.send(text);
  }

  async #drained(): Promise<void> {
    if (this.#socket.bufferedAmount <= drainedBytes) return;
    for (
      const deadline = Date.now() + drainTimeoutMs;
      this.open && this.#socket.bufferedAmount > drainedBytes;
      await sleep(10)
    ) {
      if (Date.now() > deadline) this.close(closeCodes.tooSlow, tooSlowReason);
    }
  }
}

const tooSlowReason = 'You read too slowly; connect again with last_id to go on';
