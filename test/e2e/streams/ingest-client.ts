import { WebSocket } from 'ws';
import type { IngestAnswer } from '#api/streams/ingest-messages.ts';
import { stack } from '../api/client.ts';

type Ack = Extract<IngestAnswer, { type: 'ack' }>;

/** One client of `/ws/ingest`. */
export class IngestClient {
  readonly answers: IngestAnswer[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(token: string, session?: string) {
    const query = session === undefined ? '' : `?session=${session}`;
    this.socket = new WebSocket(`${stack.addresses.api.replace('http', 'ws')}/ws/ingest${query}`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    this.socket.on('message', (data: Buffer) => this.answers.push(JSON.parse(data.toString()) as IngestAnswer));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Waits until the server has said hello. */
  async hello(): Promise<this> {
    await this.until((answers) => answers.length > 0);
    return this;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  get acks(): Ack[] {
    return this.answers.filter((answer) => answer.type === 'ack');
  }

  async until(condition: (answers: IngestAnswer[]) => boolean, timeoutMs = 30_000): Promise<void> {
    for (const deadline = Date.now() + timeoutMs; !condition(this.answers);) {
      if (Date.now() > deadline) {
        throw new Error(`it did not come about; ${this.answers.length}: ${JSON.stringify(this.answers.slice(-2))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  close(): void {
    this.socket.close();
  }
}
