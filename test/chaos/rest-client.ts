import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';

export interface Request {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** Longer than any answer takes, so that an attempt that was given up is really over. */
const attemptTimeoutMs = 30_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;

/** Tries the request again, with growing pauses, until Lily gives an answer that stands: anything but an outage. */
export class RestClient {
  readonly #base: string;
  readonly #token: string;
  readonly #ledger: Ledger;
  readonly #giveUp: AbortSignal;

  constructor(base: string, token: string, ledger: Ledger, giveUp: AbortSignal) {
    this.#base = base;
    this.#token = token;
    this.#ledger = ledger;
    this.#giveUp = giveUp;
  }

  /** The answer that stands; undefined when `giveUp` fired first. */
  async send(request: Request): Promise<Answer | undefined> {
    for (let pause = firstPauseMs; !this.#giveUp.aborted; pause = Math.min(pause * 2, longestPauseMs)) {
      const answer = await this.#attempt(request);
      if (answer !== undefined && answer.status < 500 && answer.status !== 429 && answer.status !== 409) return answer;
      if (answer !== undefined && answer.status === 500)
        throw new Error(`${request.method} ${request.path} got a 500: ${JSON.stringify(answer.body)}`);
      this.#ledger.failedAttempts += 1;
      await sleep(pause * (0.5 + Math.random()));
    }
    return undefined;
  }

  async #attempt({ method, path, headers, body }: Request): Promise<Answer | undefined> {
    const startedAt = Date.now();
    try {
      const response = await fetch(this.#base + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(attemptTimeoutMs),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    } catch {
      if (Date.now() - startedAt >= attemptTimeoutMs - 1_000) this.#ledger.hangingAttempts += 1;
      return undefined;
    }
  }
}
