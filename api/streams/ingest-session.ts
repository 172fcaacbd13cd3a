import type { WebSocket } from 'ws';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Logger } from '#platform/logger.ts';
import type { Intake, Submission } from '../assets/intake.ts';
import { problemOf } from '../http/problem.ts';
import { parseMessage, type IngestAnswer, type IngestMessage } from './ingest-messages.ts';
import type { Load } from './load.ts';

/** Why a connection is closed. 4xxx are Lily's own. */
export const closeCodes = { shutdown: 1001, textOnly: 1003, outage: 1013, expired: 4401 } as const;

export interface SessionOptions {
  socket: WebSocket;
  principal: Principal;
  /** The client's own name for what it sends, over all its connections. */
  session: string;
  intake: Intake;
  load: Load;
  logger: Logger;
}

type Waiting = IngestMessage & { bytes: number };

/** Bytes of messages that go to Kafka together, at most, unless one alone is larger. */
const groupBytes = 2 * 1024 * 1024;
/** How long an outage of Kafka is waited out before the client is sent away. */
const patienceMs = 60_000;
const firstRetryMs = 200;
const lastRetryMs = 2_000;
/** How long what is under way may take when the connection is to end. */
const lastGroupMs = 3_000;
/** The last moment that a `Date` can hold. */
const endOfTime = 8.64e15;

/**
 * One client of `/ws/ingest`. What it sends goes to Kafka in its order, one group after the other: while one is under way
 * the next gathers. Each message is answered when Kafka has it, in the same order. A client that is ahead by a window is
 * read no further; the window opens when the answers have left, so a client that does not read them stops by itself.
 */
export class IngestSession {
  readonly #options: SessionOptions;
  #waiting: Waiting[] = [];
  #unanswered = { messages: 0, bytes: 0 };
  #working: Promise<void> | undefined;
  #ending = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { socket } = options;
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) void this.end(closeCodes.textOnly, 'Send text, not binary messages');
      else if (!this.#ending) this.#take(data);
    });
    socket.on('close', () => this.#forget());
  }

  hello(expiresAt: number): void {
    this.#send({
      type: 'hello',
      session: this.#options.session,
      window: { messages: limits.socketWindowMessages, bytes: limits.socketWindowBytes },
      max_message_bytes: limits.socketMessageBytes,
      expires_at: expiresAt < endOfTime ? new Date(expiresAt).toISOString() : null,
    });
  }

  /** Reads nothing more, lets the group that is under way be answered, and closes. What is not answered was not promised. */
  async end(code: number, reason: string): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#waiting = [];
    await Promise.race([this.#working, sleep(lastGroupMs)]);
    this.#options.socket.close(code, reason);
    // The client's own part of closing must be read, though nothing else is.
    this.#options.socket.resume();
  }

  #take(data: Buffer): void {
    const { principal, session, load } = this.#options;
    const bytes = data.length;
    this.#waiting.push({ ...parseMessage(principal, session, data), bytes });
    this.#unanswered.messages += 1;
    this.#unanswered.bytes += bytes;
    load.add(bytes);
    this.#steer();
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      const submissions = group.flatMap((message) => ('submissions' in message ? message.submissions : []));
      try {
        await this.#submit(submissions);
      } catch (error) {
        this.#giveUp(error);
        return;
      }
      for (const message of group) this.#answer(message);
    }
  }

  #nextGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const message of this.#waiting) {
      if (count > 0 && bytes + message.bytes > groupBytes) break;
      bytes += message.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /**
   * Sends until Kafka has it: nothing behind it may overtake it, and sent twice it is the same records.
   * @throws when it does not come to be within a minute, or the client has gone
   */
  async #submit(submissions: Submission[]): Promise<void> {
    const { intake, principal, socket } = this.#options;
    const deadline = Date.now() + patienceMs;
    for (let pauseMs = firstRetryMs; submissions.length > 0; pauseMs = Math.min(pauseMs * 2, lastRetryMs)) {
      try {
        await intake.submit(principal, submissions, { door: 'socket' });
        return;
      } catch (error) {
        const mayPass = error instanceof LilyError && error.code === 'unavailable';
        const isWorthIt = !this.#ending && socket.readyState === socket.OPEN && Date.now() < deadline;
        if (!mayPass || !isWorthIt) throw error;
        await sleep(pauseMs);
      }
    }
  }

  #giveUp(error: unknown): void {
    const { logger, principal } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn({ tenant: principal.tenantId, reason }, 'messages of a socket could not be made durable');
    // Not awaited by `end` itself, which waits for this very work.
    this.#working = undefined;
    void this.end(
      closeCodes.outage,
      'Nothing can be taken right now; connect again and resend what was not acknowledged',
    );
  }

  #answer(message: Waiting): void {
    const done = (): void => this.#release(message.bytes);
    if ('error' in message) {
      this.#send({ type: 'error', id: message.id, problem: problemOf(message.error) }, done);
      return;
    }
    const { id, submissions } = message;
    const record_ids = submissions.map(({ recordId }) => recordId);
    const metadata_ids = submissions.map(({ metadataId }) => metadataId);
    this.#send({ type: 'ack', id, record_ids, metadata_ids }, done);
  }

  #send(answer: IngestAnswer, done: () => void = () => undefined): void {
    const { socket } = this.#options;
    if (socket.readyState !== socket.OPEN) return;
    // Done when the answer has left, with an error too: then the socket closes, and all is forgotten.
    socket.send(JSON.stringify(answer), done);
  }

  #release(bytes: number): void {
    if (this.#unanswered.messages === 0) return;
    this.#unanswered.messages -= 1;
    this.#unanswered.bytes -= bytes;
    this.#options.load.remove(bytes);
    this.#steer();
  }

  /** Stops reading when the window is full, goes on when half of it is free. While memory is short, a message at a time. */
  #steer(): void {
    const { socket, load } = this.#options;
    const { messages, bytes } = this.#unanswered;
    const isFull =
      messages >= limits.socketWindowMessages || bytes >= limits.socketWindowBytes || (load.isHeavy && messages > 0);
    const hasRoom =
      messages === 0 ||
      (!load.isHeavy && messages <= limits.socketWindowMessages / 2 && bytes <= limits.socketWindowBytes / 2);
    if (isFull && !socket.isPaused) socket.pause();
    else if (hasRoom && socket.isPaused && !this.#ending) socket.resume();
  }

  #forget(): void {
    this.#ending = true;
    this.#waiting = [];
    this.#options.load.remove(this.#unanswered.bytes);
    this.#unanswered = { messages: 0, bytes: 0 };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
