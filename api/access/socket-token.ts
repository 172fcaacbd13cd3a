import type { IncomingMessage } from 'node:http';
import { LilyError } from '#domain/errors.ts';
import { bearerToken } from './bearer.ts';

/**
 * The token of a request for a WebSocket: by header, by `Sec-WebSocket-Protocol: bearer, <token>`, or in the query.
 * Browsers can do only the latter two.
 *
 * @throws LilyError `unauthenticated` when there is none
 */
export function socketToken({ headers }: IncomingMessage, inQuery: string | undefined): string {
  if (headers.authorization !== undefined) return bearerToken(headers.authorization);
  const [scheme, offered] = (headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
  if (scheme === 'bearer' && offered !== undefined) return offered;
  if (inQuery !== undefined) return inQuery;
  const ways = 'an Authorization header, the subprotocols bearer, <token>, or ?access_token=';
  throw new LilyError('unauthenticated', `Send a bearer token by ${ways}`);
}
