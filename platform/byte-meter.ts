import type { Socket } from 'node:net';

const megabyte = 1024 * 1024;

/** What a session with a stranger's server may cost. */
export interface ByteLimits {
  /** Bytes of all that it sends. */
  sessionBytes: number;
  /** Bytes of one answer. */
  answerBytes: number;
}

/** Far above what an honest page of a catalogue takes, far below what would hurt the worker. */
export const sourceByteLimits: ByteLimits = { sessionBytes: 256 * megabyte, answerBytes: 64 * megabyte };

/** A session that has cost so much is worth replacing before more is asked for: what is left is room for any one answer. */
export const fullSessionBytes = sourceByteLimits.sessionBytes / 2;

/** How often the counters are looked at: a server cannot send more than some megabytes in between. */
const lookMs = 20;

/**
 * Watches how much a session's sockets have read, and breaks them off when it is too much. It looks at the sockets' own counters,
 * so it works below TLS and whatever driver reads them.
 */
export class ByteMeter {
  readonly #limits: ByteLimits;
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  #gone = 0;
  #answerFrom = 0;
  #exceeded: string | undefined;
  #onExceeded: () => void = () => undefined;

  constructor(limits: ByteLimits = sourceByteLimits) {
    this.#limits = limits;
  }

  /** Why the session was broken off, as the end of a sentence; undefined while it was not. */
  get exceeded(): string | undefined {
    return this.#exceeded;
  }

  get bytes(): number {
    return [...this.#sockets].reduce((sum, socket) => sum + socket.bytesRead, this.#gone);
  }

  watch(socket: Socket): void {
    this.#sockets.add(socket);
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
    socket.once('close', () => {
      this.#gone += socket.bytesRead;
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }

  /** For drivers that would connect again: called once, when it has become too much. */
  whenExceeded(react: () => void): void {
    this.#onExceeded = react;
  }

  /** What is read from here on belongs to the next answer. */
  beginAnswer(): void {
    this.#answerFrom = this.bytes;
  }

  #look(): void {
    const { sessionBytes, answerBytes } = this.#limits;
    const bytes = this.bytes;
    if (bytes > sessionBytes) this.#breakOff(`sent more than ${sessionBytes / megabyte} MiB in one session`);
    else if (bytes - this.#answerFrom > answerBytes)
      this.#breakOff(`sent more than ${answerBytes / megabyte} MiB in one answer`);
  }

  #breakOff(reason: string): void {
    if (this.#exceeded === undefined) {
      this.#exceeded = reason;
      this.#onExceeded();
    }
    for (const socket of this.#sockets) socket.destroy(new Error(`the source ${reason}`));
  }
}
