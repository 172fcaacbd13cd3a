import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { NotificationMessage } from '#domain/notifications/message.ts';
import type { Stack } from '../stack.ts';

/** Everything that arrives on `/ws/notifications`, with the moment of its arrival. */
export class NotificationListener {
  readonly #socket: WebSocket;
  #received: { message: NotificationMessage; at: number }[] = [];

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as NotificationMessage;
      if (message.type !== 'hello') this.#received.push({ message, at: performance.now() });
    });
  }

  static async open(stack: Stack, token: string): Promise<NotificationListener> {
    const socket = new WebSocket(`${stack.addresses.api.replace('http', 'ws')}/ws/notifications`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const listener = new NotificationListener(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve());
      socket.once('error', reject);
    });
    return listener;
  }

  clear(): void {
    this.#received = [];
  }

  /** What has arrived, once nothing more has come for a while. */
  async settled(quietMs: number): Promise<{ message: NotificationMessage; at: number }[]> {
    for (let before = -1; before !== this.#received.length;) {
      before = this.#received.length;
      await sleep(quietMs);
    }
    return this.#received;
  }

  close(): void {
    this.#socket.close();
  }
}
