import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Logger } from '#platform/logger.ts';
import type { TokenVerifier, VerifiedToken } from '#platform/oidc/token-verifier.ts';
import { checkRole } from '../access/sign-in.ts';
import { socketToken } from '../access/socket-token.ts';
import type { Intake } from '../assets/intake.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import { refuseUpgrade, Sockets } from '../http/sockets.ts';
import { closeCodes, IngestSession } from './ingest-session.ts';
import { Load } from './load.ts';

export const ingestPath = '/ws/ingest';

export const ingestQuery = z.strictObject({
  access_token: z.string().optional().meta({ description: 'The bearer token, where no header can be sent' }),
  session: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'must have 1 to 128 printable ASCII characters without spaces')
    .optional()
    .meta({
      description:
        'Your name for what you send: messages with the same id in the same session are taken once. `hello` says it',
    }),
});

export interface IngestServerOptions {
  verify: TokenVerifier;
  intake: Intake;
  /** Whether records can be taken yet. */
  ready: () => boolean;
  logger: Logger;
  pingMs?: number;
  recheckMs?: number;
}

/** How often the tokens of those who are connected are looked at again: a key may have been revoked. */
const recheckMs = 30_000;
/** Bytes of all clients' unacknowledged messages from which on each client has one message at a time. */
const heavyBytes = 128 * 1024 * 1024;
const longestTimerMs = 2 ** 31 - 1;

/** `/ws/ingest`: signs clients in before they get a socket, and ends the sockets in time. */
export class IngestServer {
  readonly #options: IngestServerOptions;
  readonly #sockets: Sockets;
  readonly #sessions = new Map<WebSocket, { session: IngestSession; token: string }>();
  readonly #rechecking: NodeJS.Timeout;
  readonly #perTenant = new Map<string, number>();
  readonly #load = new Load(heavyBytes);
  #closing = false;

  constructor(options: IngestServerOptions) {
    this.#options = options;
    this.#sockets = new Sockets({
      longestMessageBytes: limits.socketMessageBytes,
      pingMs: options.pingMs ?? 30_000,
      isExcused: (client) => client.isPaused,
    });
    this.#rechecking = setInterval(() => void this.#recheck(), options.recheckMs ?? recheckMs);
    this.#rechecking.unref();
  }

  /** Answers an HTTP request to upgrade: with a socket, or with a problem document. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    try {
      const admitted = await this.#admit(request);
      socket.off('error', ignore);
      this.#sockets.open(request, socket, head, (client) => this.#welcome(client, admitted));
    } catch (error) {
      refuseUpgrade(request, socket, error, { instance: ingestPath, logger: this.#options.logger });
    }
  }

  /** Answers what is under way, and closes every socket; the clients know to come back. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#rechecking);
    const reason = 'Lily is restarting; connect again and resend what was not acknowledged';
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.end(closeCodes.shutdown, reason)));
    await this.#sockets.close(2_000);
  }

  async #admit(request: IncomingMessage): Promise<Admitted> {
    const parameters = URL.parse(request.url ?? '/', 'http://localhost')?.searchParams ?? new URLSearchParams();
    const names = [...parameters.keys()];
    if (new Set(names).size < names.length) throw new InvalidInput('A query parameter is given more than once');
    const parsed = ingestQuery.safeParse(Object.fromEntries(parameters));
    if (!parsed.success) throw invalidInput(parsed.error, 'query');
    const token = socketToken(request, parsed.data.access_token);
    const verified = await this.#options.verify(token);
    const { principal } = verified;
    checkRole(principal, 'editor');
    if ((this.#perTenant.get(principal.tenantId) ?? 0) >= limits.ingestSocketsPerTenant) {
      const most = limits.ingestSocketsPerTenant;
      throw new LilyError('rate-limited', `Your tenant may have ${most} of these sockets at a time; close some first`);
    }
    if (!this.#options.ready() || this.#closing) {
      throw new LilyError('unavailable', 'Nothing can be taken right now; try again shortly');
    }
    return { session: parsed.data.session ?? randomUUID(), token, verified };
  }

  #welcome(socket: WebSocket, { session, token, verified: { principal, expiresAt } }: Admitted): void {
    const { intake, logger } = this.#options;
    const { tenantId } = principal;
    this.#perTenant.set(tenantId, (this.#perTenant.get(tenantId) ?? 0) + 1);
    socket.on('error', (error) => logger.debug({ err: error, tenant: tenantId }, 'a socket failed'));
    const own = new IngestSession({ socket, principal, session, intake, load: this.#load, logger });
    this.#sessions.set(socket, { session: own, token });
    const lifeMs = Math.min(Math.max(expiresAt - Date.now(), 0), longestTimerMs);
    const expiry = setTimeout(() => void own.end(closeCodes.expired, expired), lifeMs);
    socket.on('close', () => {
      clearTimeout(expiry);
      this.#sessions.delete(socket);
      const left = (this.#perTenant.get(tenantId) ?? 1) - 1;
      if (left > 0) this.#perTenant.set(tenantId, left);
      else this.#perTenant.delete(tenantId);
    });
    own.hello(expiresAt);
  }

  /** Ends the sockets whose token is no longer taken. One that cannot be looked at right now stays. */
  async #recheck(): Promise<void> {
    for (const { session, token } of this.#sessions.values()) {
      try {
        await this.#options.verify(token);
      } catch (error) {
        if (error instanceof LilyError && error.code === 'unauthenticated') {
          void session.end(closeCodes.expired, expired);
        }
      }
    }
  }
}

interface Admitted {
  session: string;
  token: string;
  verified: VerifiedToken;
}

const expired = 'The token has expired or was revoked; connect again with a new one';
