import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Logger } from '#platform/logger.ts';
import { withOutageNamed } from './outage.ts';
import { problemHeaders, problemOf, problemType } from './problem.ts';
import { traceOfRequest } from './trace.ts';

/** What every kind of WebSocket does alike: the upgrade, looking whether clients are alive, and the end. */
export class Sockets {
  readonly #server: WebSocketServer;
  readonly #alive = new WeakSet<WebSocket>();
  readonly #pinging: NodeJS.Timeout;
  readonly #isExcused: (client: WebSocket) => boolean;

  /** @param options.isExcused whether a client cannot be heard right now, because nothing is read from it */
  constructor(options: { longestMessageBytes: number; pingMs: number; isExcused?: (client: WebSocket) => boolean }) {
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: options.longestMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has('bearer') ? 'bearer' : false),
    });
    this.#isExcused = options.isExcused ?? (() => false);
    this.#pinging = setInterval(() => this.#ping(), options.pingMs);
    this.#pinging.unref();
  }

  open(request: IncomingMessage, socket: Duplex, head: Buffer, welcome: (client: WebSocket) => void): void {
    this.#server.handleUpgrade(request, socket, head, (client) => {
      this.#alive.add(client);
      client.on('pong', () => this.#alive.add(client));
      welcome(client);
    });
  }

  /** Waits until the clients, which have been told to, have gone; whoever stays is cut off. */
  async close(withinMs: number): Promise<void> {
    clearInterval(this.#pinging);
    const deadline = Date.now() + withinMs;
    while (this.#server.clients.size > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const client of this.#server.clients) client.terminate();
  }

  get clients(): ReadonlySet<WebSocket> {
    return this.#server.clients;
  }

  #ping(): void {
    for (const client of this.#server.clients) {
      if (!this.#alive.delete(client) && !this.#isExcused(client)) client.terminate();
      else client.ping();
    }
  }
}

/** Answers a request for a WebSocket with a problem document. */
export function refuseUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  thrown: unknown,
  { instance, logger }: { instance: string; logger: Logger },
): void {
  const { traceId } = traceOfRequest(request.headers);
  const problem = problemOf(withOutageNamed(thrown), { traceId, instance });
  if (problem.status === 500) logger.error({ err: thrown, traceId }, 'a socket could not be opened');
  const body = JSON.stringify(problem);
  const headers = {
    ...problemHeaders(problem),
    'Content-Type': problemType,
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const words = problem.status >= 500 ? 'Unavailable' : 'Refused';
  socket.end(`HTTP/1.1 ${problem.status} ${words}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}
