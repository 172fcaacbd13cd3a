import { connect, isIP, Socket, type LookupFunction } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LilyError } from '#domain/errors.ts';
import { isPublicAddress, resolveAllowed } from './address-guard.ts';

/** A place that a tenant named, or that a server of theirs has sent us on to. */
export interface GuardedTarget {
  host: string;
  port: number;
  /** Whether it may be at a loopback or private address. */
  allowPrivate: boolean;
  /** TLS from the first byte; the certificate is checked against the name when `verify` says so. */
  tls?: { verify: boolean } | undefined;
}

const attemptTimeoutMs = 3_000;

/**
 * Connects to a place that is not ours to trust. Its name is resolved once, inside the connection, and what it resolves to is
 * judged before a packet leaves. The socket is given back at once; a refusal is its `error`: a LilyError `source-refused`
 * or `source-unreachable`, or what the network says.
 */
export function connectGuarded({ host, port, allowPrivate, tls }: GuardedTarget, onConnect?: () => void): Socket {
  // Node does not look up what is an address already.
  if (isIP(host) !== 0 && !allowPrivate && !isPublicAddress(host)) return refused(host);
  const options = {
    host,
    port,
    lookup: guardedLookup(allowPrivate),
    autoSelectFamilyAttemptTimeout: attemptTimeoutMs,
    keepAlive: true,
    noDelay: true,
  };
  if (tls === undefined) return connect(options, onConnect);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ ...options, ...servername, rejectUnauthorized: tls.verify }, onConnect);
}

/** A lookup that judges what a name resolves to; it fails with what {@link resolveAllowed} throws. */
function guardedLookup(allowPrivate: boolean): LookupFunction {
  return (host, options, callback) => {
    const answer = async (): Promise<void> => {
      const judged = await resolveAllowed(host, allowPrivate).catch((error: unknown) => error as NodeJS.ErrnoException);
      if (judged instanceof Error) return callback(judged, '', 0);
      const found = judged.map((address) => ({ address, family: isIP(address) }));
      const [first] = found;
      if (options.all === true) callback(null, found);
      else callback(null, first?.address ?? '', first?.family);
    };
    void answer();
  };
}

function refused(host: string): Socket {
  const error = new LilyError('source-refused', `${host} is not at a public address.`, { field: '/source/url' });
  const socket = new Socket();
  // On the next turn, when the caller listens.
  setImmediate(() => socket.destroy(error));
  return socket;
}
