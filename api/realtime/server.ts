import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '#platform/logger.ts';
import type { TokenVerifier, VerifiedToken } from '#platform/oidc/token-verifier.ts';
import { checkRole } from '../access/sign-in.ts';
import { socketToken } from '../access/socket-token.ts';
import { refuseUpgrade, Sockets } from '../http/sockets.ts';
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
  readonly #sockets: Sockets;

  constructor(options: NotificationServerOptions) {
    this.#options = { socketsPerTenant: 1_000, pingMs: 30_000, ...options };
    this.#sockets = new Sockets({ longestMessageBytes, pingMs: this.#options.pingMs });
  }

  /** Answers an HTTP request to upgrade: with a socket, or with a problem document. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    try {
      const { connect, verified } = await this.#admit(request);
      socket.off('error', ignore);
      this.#sockets.open(request, socket, head, (client) => this.#welcome(client, connect, verified));
    } catch (error) {
      refuseUpgrade(request, socket, error, { instance: notificationsPath, logger: this.#options.logger });
    }
  }

  /** Closes every socket; the clients know to come back. */
  async close(): Promise<void> {
    for (const client of this.#sockets.clients)
      client.close(closeCodes.shutdown, 'Lily is restarting; connect again with last_id');
    await this.#sockets.close(2_000);
  }

  async #admit(request: IncomingMessage): Promise<{ connect: ConnectRequest; verified: VerifiedToken }> {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (url?.pathname !== notificationsPath) {
      throw new LilyError('not-found', `There is no WebSocket at this address; there is one at ${notificationsPath}`);
    }
    const { searchParams } = url;
    const connect = parseConnect(searchParams);
    const verified = await this.#options.verify(socketToken(request, connect.token));
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
    feed.join(session, seen);
  }
}
