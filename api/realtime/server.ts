import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '#platform/logger.ts';
import type { TokenVerifier, VerifiedToken } from '#platform/oidc/token-verifier.ts';
import { bearerToken } from '../access/bearer.ts';
import { checkRole } from '../access/sign-in.ts';
import { withOutageNamed } from '../http/outage.ts';
import { problemHeaders, problemOf, problemType } from '../http/problem.ts';
import { traceOfRequest } from '../http/trace.ts';
import { decodePositions } from './position.ts';
import type { NotificationFeed } from './feed.ts';
import { closeCodes, Session } from './session.ts';
import { parseConnect, type ConnectRequest } from './subscription.ts';

export const notificationsPath = '/ws/notifications';

export interface NotificationServerOptions {
  verify: TokenVerifier;
  feed: NotificationFeed;
  logger: Logger;
  /** Sockets that one tenant may have on this instance. */
  socketsPerTenant?: number;
  pingMs?: number;
}

const longestMessageBytes = 4_096;
const longestTimerMs = 2 ** 31 - 1;

/** `/ws/notifications`: signs clients in before they get a socket, watches over the sockets, and ends them in time. */
export class NotificationServer {
  readonly #options: Required<NotificationServerOptions>;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: longestMessageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('bearer') ? 'bearer' : false),
  });
  readonly #alive = new WeakSet<WebSocket>();
  readonly #pinging: NodeJS.Timeout;

  constructor(options: NotificationServerOptions) {
    this.#options = { socketsPerTenant: 1_000, pingMs: 30_000, ...options };
    this.#pinging = setInterval(() => this.#ping(), this.#options.pingMs);
    this.#pinging.unref();
  }

  /** Answers an HTTP request to upgrade: with a socket, or with a problem document. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    try {
      const { connect, verified } = await this.#admit(request);
      socket.off('error', ignore);
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#welcome(client, connect, verified));
    } catch (error) {
      this.#refuse(request, socket, error);
    }
  }

  /** Closes every socket; the clients know to come back. */
  async close(): Promise<void> {
    clearInterval(this.#pinging);
    for (const client of this.#sockets.clients)
      client.close(closeCodes.shutdown, 'Lily is restarting; connect again with last_id');
    const deadline = Date.now() + 2_000;
    while (this.#sockets.clients.size > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const client of this.#sockets.clients) client.terminate();
  }

  async #admit(request: IncomingMessage): Promise<{ connect: ConnectRequest; verified: VerifiedToken }> {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (url?.pathname !== notificationsPath) {
      throw new LilyError('not-found', `There is no WebSocket at this address; there is one at ${notificationsPath}`);
    }
    const { searchParams } = url;
    const connect = parseConnect(searchParams);
    const verified = await this.#options.verify(tokenOf(request, connect));
    checkRole(verified.principal, 'reader');
    const { feed, socketsPerTenant } = this.#options;
    if (feed.hub.countOf(verified.principal.tenantId) >= socketsPerTenant) {
      throw new LilyError(
        'rate-limited',
        `Your tenant may have ${socketsPerTenant} sockets at a time; close some first`,
      );
    }
    if (!feed.ready) throw new LilyError('unavailable', 'Notifications are not flowing right now; try again shortly');
    return { connect, verified };
  }

  #welcome(client: WebSocket, { lastId, subscription }: ConnectRequest, { principal, expiresAt }: VerifiedToken): void {
    const { feed, logger } = this.#options;
    const seen = lastId === undefined ? undefined : decodePositions(lastId);
    const session = new Session(client, principal.tenantId, subscription);
    client.on('error', (error) => logger.debug({ err: error, tenant: principal.tenantId }, 'a socket failed'));
    if (lastId !== undefined && seen === undefined) {
      session.close(closeCodes.badLastId, 'last_id is not the id of a message; leave it out to begin now');
      return;
    }
    const lifeMs = Math.min(Math.max(expiresAt - Date.now(), 0), longestTimerMs);
    const expiry = setTimeout(
      () => session.close(closeCodes.expired, 'The token has expired; connect again with a new one'),
      lifeMs,
    );
    client.on('close', () => {
      clearTimeout(expiry);
      feed.hub.remove(session);
    });
    this.#alive.add(client);
    client.on('pong', () => this.#alive.add(client));
    feed.join(session, seen);
  }

  #ping(): void {
    for (const client of this.#sockets.clients) {
      if (!this.#alive.delete(client)) client.terminate();
      else client.ping();
    }
  }

  #refuse(request: IncomingMessage, socket: Duplex, thrown: unknown): void {
    const { traceId } = traceOfRequest(request.headers);
    const problem = problemOf(withOutageNamed(thrown), { traceId, instance: notificationsPath });
    if (problem.status === 500) this.#options.logger.error({ err: thrown, traceId }, 'a socket could not be opened');
    const body = JSON.stringify(problem);
    const headers = {
      ...problemHeaders(problem),
      'Content-Type': problemType,
      'Content-Length': String(Buffer.byteLength(body)),
      Connection: 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    socket.end(`HTTP/1.1 ${problem.status} ${statusWords(problem.status)}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
  }
}

/** By header, by `Sec-WebSocket-Protocol: bearer, <token>`, or in the query: browsers can do only the latter two. */
function tokenOf({ headers }: IncomingMessage, { token }: ConnectRequest): string {
  if (headers.authorization !== undefined) return bearerToken(headers.authorization);
  const [scheme, offered] = (headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
  if (scheme === 'bearer' && offered !== undefined) return offered;
  if (token !== undefined) return token;
  const ways = 'an Authorization header, the subprotocols bearer, <token>, or ?access_token=';
  throw new LilyError('unauthenticated', `Send a bearer token by ${ways}`);
}

function statusWords(status: number): string {
  return status >= 500 ? 'Unavailable' : 'Refused';
}
