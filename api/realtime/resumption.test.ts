import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { NotificationMessage } from '#domain/notifications/message.ts';
import { copyPositions, emptyPositions, type LogMessage, type Positions } from '#platform/kafka/notification-log.ts';
import type { ReplayHandler } from '#platform/kafka/replay-log.ts';
import { Hub } from './hub.ts';
import { anyBefore, decodePositions } from './position.ts';
import { Resumption } from './resumption.ts';
import { Session } from './session.ts';

const logger = pino({ level: 'silent' });
const everything = { entityTypes: undefined, entityIds: undefined, types: undefined };
const topic = 'lily.changes';

/** A log in memory, with one instance that reads it live and can read it again, a message a turn of the event loop. */
class MemoryLog {
  readonly partitions: LogMessage[][] = [[], []];
  readonly hub = new Hub();
  readonly positions: Positions = { ...emptyPositions(), [topic]: [0, 0] };
  low = 0;
  readonly resumption: Resumption;

  constructor() {
    const live = { positions: this.positions, bounds: async () => this.#bounds() };
    this.resumption = new Resumption(live, { read: (...read) => this.#read(...read) }, logger);
  }

  /** Appends to the log; the instance sees it only when it is told to. */
  append(tenant = 'acme', partition = Math.random() < 0.5 ? 0 : 1): void {
    const messages = this.partitions[partition] ?? [];
    const offset = messages.length;
    const data = {
      metadata_id: `${partition}/${offset}`,
      entity_type: 'table',
      change: 'updated',
      timestamp: '',
      version: 1,
    };
    messages.push({ topic, partition, offset, key: `${tenant}|id`, value: Buffer.from(JSON.stringify({ data })) });
  }

  /** The live consumer takes the next message of each partition, if there is one. */
  follow(count = 1): void {
    for (const [partition, messages] of this.partitions.entries()) {
      for (let taken = 0; taken < count; taken += 1) {
        const message = messages[this.positions[topic][partition] ?? 0];
        if (message === undefined) break;
        this.positions[topic][partition] = message.offset + 1;
        this.hub.publish(message, this.positions);
      }
    }
  }

  #bounds() {
    const low = { ...emptyPositions(), [topic]: [this.low, this.low] };
    const high = { ...emptyPositions(), [topic]: this.partitions.map((messages) => messages.length) };
    return { low, high };
  }

  async #read(from: Positions, target: Positions, handler: ReplayHandler): Promise<void> {
    const positions = copyPositions(from);
    for (let moved = true; moved;) {
      moved = false;
      for (const [partition, messages] of this.partitions.entries()) {
        const message = messages[positions[topic][partition] ?? 0];
        if (message === undefined || message.offset >= (target[topic][partition] ?? 0)) continue;
        positions[topic][partition] = message.offset + 1;
        await handler.onMessage(message, positions);
        await turn();
        moved = true;
      }
    }
  }
}

/** A client: what it was sent, and the session that sends. */
function client(tenant = 'acme') {
  const sent: NotificationMessage[] = [];
  const closed: number[] = [];
  const socket = {
    readyState: 1,
    OPEN: 1,
    bufferedAmount: 0,
    send: (text: string) => sent.push(JSON.parse(text) as never),
    close: (code: number) => closed.push(code),
  };
  const session = new Session(socket as unknown as WebSocket, tenant, everything);
  const places = () => sent.flatMap((message) => (message.type === 'update' ? [message.metadata_id] : []));
  return { session, sent, closed, places };
}

function placesOf(log: MemoryLog, after: number[] = [0, 0], tenant = 'acme'): string[] {
  return log.partitions
    .flatMap((messages, partition) => messages.slice(after[partition]))
    .filter(({ key }) => key.startsWith(`${tenant}|`))
    .map(({ partition, offset }) => `${partition}/${offset}`);
}

async function settle(log: MemoryLog, turns = 2_000): Promise<void> {
  for (let count = 0; count < turns; count += 1) await turn();
  log.follow(10_000);
  for (let count = 0; count < 50; count += 1) await turn();
}

describe('Resumption', () => {
  it('gives a client that comes back everything once and in order, while more comes in', async () => {
    for (let round = 0; round < 30; round += 1) {
      const log = new MemoryLog();
      for (let count = 0; count < 100; count += 1) log.append(count % 3 === 0 ? 'other' : 'acme');
      log.follow(100);
      const seen = { ...emptyPositions(), [topic]: [Math.floor(Math.random() * 20), Math.floor(Math.random() * 20)] };
      const { session, places, sent } = client();
      log.hub.add(session);
      log.resumption.resume(session, copyPositions(seen));
      for (let count = 0; count < 150; count += 1) {
        if (Math.random() < 0.8) log.append(Math.random() < 0.3 ? 'other' : 'acme');
        if (Math.random() < 0.7) log.follow();
        await turn();
      }
      await settle(log);
      expect(places().toSorted()).toEqual(placesOf(log, seen[topic]).toSorted());
      for (const partition of ['0/', '1/']) {
        const offsets = places()
          .filter((place) => place.startsWith(partition))
          .map((place) => Number(place.slice(2)));
        expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      }
      expect(sent[0]?.type).toBe('hello');
    }
  });

  it('goes on from the id of any message without a gap or a repetition', async () => {
    const log = new MemoryLog();
    for (let count = 0; count < 40; count += 1) log.append();
    log.follow(10);
    const first = client();
    log.hub.add(first.session);
    log.resumption.resume(first.session, { ...emptyPositions(), [topic]: [0, 0] });
    await settle(log);
    for (let cut = 1; cut < first.sent.length; cut += 3) {
      const before = first.sent
        .slice(0, cut)
        .flatMap((message) => (message.type === 'update' ? [message.metadata_id] : []));
      const again = client();
      log.hub.add(again.session);
      log.resumption.resume(again.session, decodePositions(first.sent[cut - 1]?.id ?? '') as Positions);
      await settle(log, 200);
      expect([...before, ...again.places()].toSorted()).toEqual(placesOf(log).toSorted());
    }
  });

  it('does not repeat what the client saw through an instance that was ahead', async () => {
    const log = new MemoryLog();
    for (let count = 0; count < 20; count += 1) log.append('acme', count % 2);
    log.follow(4);
    const { session, places, sent } = client();
    const seen = { ...emptyPositions(), [topic]: [8, 2] };
    log.hub.add(session);
    log.resumption.resume(session, copyPositions(seen));
    await settle(log, 100);
    log.append('acme', 0);
    log.follow();
    expect(places().toSorted()).toEqual(placesOf(log, [8, 2]).toSorted());
    // Whichever message it names when it comes back again, nothing of what it had seen comes twice.
    for (const { id } of sent) expect(anyBefore(decodePositions(id) as Positions, seen)).toBe(false);
  });

  it('says when something is no longer kept, or never was', async () => {
    const log = new MemoryLog();
    for (let count = 0; count < 20; count += 1) log.append('acme', count % 2);
    log.follow(20);
    log.low = 5;
    const late = client();
    log.hub.add(late.session);
    log.resumption.resume(late.session, { ...emptyPositions(), [topic]: [1, 7] });
    await settle(log, 100);
    expect(late.sent.map(({ type }) => type).slice(0, 2)).toEqual(['hello', 'gap']);
    expect(late.places().toSorted()).toEqual(placesOf(log, [5, 7]).toSorted());

    const foreign = client();
    log.hub.add(foreign.session);
    log.resumption.resume(foreign.session, { ...emptyPositions(), [topic]: [900, 2] });
    await settle(log, 100);
    expect(foreign.sent.map(({ type }) => type)).toEqual(['hello', 'gap']);
    log.append();
    log.follow();
    expect(foreign.places()).toHaveLength(1);
  });

  it('gives a tenant nothing of another', async () => {
    const log = new MemoryLog();
    const { session, places } = client('acme');
    log.hub.add(session);
    for (let count = 0; count < 10; count += 1) log.append('other');
    log.resumption.resume(session, { ...emptyPositions(), [topic]: [0, 0] });
    log.follow(10);
    await settle(log, 100);
    expect(places()).toEqual([]);
  });
});
