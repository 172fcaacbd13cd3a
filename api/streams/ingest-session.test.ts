import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '#platform/logger.ts';
import type { Intake, Submission } from '../assets/intake.ts';
import type { IngestAnswer } from './ingest-messages.ts';
import { IngestSession } from './ingest-session.ts';
import { Load } from './load.ts';

const outage = new LilyError('unavailable', 'Kafka is not reachable right now.');

/** A socket whose client reads the answers only when it is let. */
class FakeSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  isPaused = false;
  closedWith: number | undefined;
  readonly answers: IngestAnswer[] = [];
  #unsent: (() => void)[] = [];
  #reads = true;

  send(text: string, done: () => void): void {
    this.answers.push(JSON.parse(text) as IngestAnswer);
    if (this.#reads) done();
    else this.#unsent.push(done);
  }

  set reads(reads: boolean) {
    this.#reads = reads;
    if (reads) for (const done of this.#unsent.splice(0)) done();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number): void {
    this.closedWith = code;
    this.readyState = 3;
    this.emit('close');
  }

  say(id: string, text = ''): void {
    const record = { entity_type: 'table', attributes: { name: id, text } };
    this.emit('message', Buffer.from(JSON.stringify({ id, record })), false);
  }

  get acks(): string[] {
    return this.answers.flatMap((answer) => (answer.type === 'ack' ? [answer.id] : []));
  }
}

function sessionWith(submit: (records: readonly Submission[]) => Promise<void>, load = new Load(1e9)) {
  const socket = new FakeSocket();
  const groups: string[][] = [];
  const intake: Intake = {
    async submit(_principal, records) {
      groups.push(records.map(({ value }) => (JSON.parse(value) as { qualified_name: string }).qualified_name));
      await submit(records);
      return [];
    },
  };
  const logger = { warn: () => undefined } as unknown as Logger;
  const principal = { tenantId: 'acme', userId: 'ada', roles: ['editor'] } as const;
  const session = new IngestSession({ socket: socket as never, principal, session: 's', intake, load, logger });
  return { socket, groups, session };
}

describe('a client of /ws/ingest', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('has its messages sent in groups, in order, the next one only when the one before is durable', async () => {
    const doors: (() => void)[] = [];
    const { socket, groups } = sessionWith(() => new Promise((resolve) => doors.push(resolve)));
    for (const id of ['1', '2', '3']) socket.say(id);
    await vi.advanceTimersByTimeAsync(0);
    expect(groups).toEqual([['1']]);
    expect(socket.acks).toEqual([]);
    doors[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.acks).toEqual(['1']);
    expect(groups).toEqual([['1'], ['2', '3']]);
  });

  it('waits out an outage, and lets nothing overtake what could not be sent', async () => {
    let attempts = 0;
    const { socket, groups } = sessionWith(async () => {
      attempts += 1;
      if (attempts <= 5) throw outage;
    });
    socket.say('1');
    socket.say('2');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(socket.acks).toEqual([]);
    expect(new Set(groups.map(String))).toEqual(new Set(['1']));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(socket.acks).toEqual(['1', '2']);
  });

  it('is sent away after a minute of outage, with nothing acknowledged', async () => {
    const { socket } = sessionWith(() => Promise.reject(outage));
    socket.say('1');
    await vi.advanceTimersByTimeAsync(70_000);
    expect(socket.closedWith).toBe(1013);
    expect(socket.acks).toEqual([]);
  });

  it('is read no further a window ahead, and again when half of it is free', async () => {
    const doors: (() => void)[] = [];
    const { socket } = sessionWith(() => new Promise((resolve) => doors.push(resolve)));
    for (let n = 1; n < 1_000; n += 1) socket.say(String(n));
    expect(socket.isPaused).toBe(false);
    socket.say('1000');
    expect(socket.isPaused).toBe(true);
    doors.shift()?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.isPaused).toBe(true);
    doors.shift()?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.acks).toHaveLength(1_000);
    expect(socket.isPaused).toBe(false);
  });

  it('is read no further when it does not read its answers', async () => {
    const { socket } = sessionWith(async () => undefined);
    socket.reads = false;
    for (let n = 0; n < 1_000; n += 1) socket.say(String(n));
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.acks).toHaveLength(1_000);
    expect(socket.isPaused).toBe(true);
    socket.reads = true;
    expect(socket.isPaused).toBe(false);
  });

  it('has one message at a time while all clients together hold too much', async () => {
    const load = new Load(1_000);
    const hog = sessionWith(() => new Promise(() => undefined), load);
    hog.socket.say('hog', 'x'.repeat(2_000));
    const doors: (() => void)[] = [];
    const { socket } = sessionWith(() => new Promise((resolve) => doors.push(resolve)), load);
    socket.say('1');
    expect(socket.isPaused).toBe(true);
    doors.shift()?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.isPaused).toBe(false);
    hog.socket.close(1000);
    for (let n = 2; n < 10; n += 1) socket.say(String(n));
    expect(socket.isPaused).toBe(false);
    socket.close(1000);
    expect(load.isHeavy).toBe(false);
  });

  it('gets the answers to what is under way when it is to go, and nothing behind it is taken', async () => {
    const doors: (() => void)[] = [];
    const { socket, groups, session } = sessionWith(() => new Promise((resolve) => doors.push(resolve)));
    socket.say('1');
    await vi.advanceTimersByTimeAsync(0);
    socket.say('2');
    const ended = session.end(1001, 'going down');
    socket.say('3');
    doors.shift()?.();
    await vi.advanceTimersByTimeAsync(0);
    await ended;
    expect(socket.acks).toEqual(['1']);
    expect(groups).toEqual([['1']]);
    expect(socket.closedWith).toBe(1001);
  });
});
