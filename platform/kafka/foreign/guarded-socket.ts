import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { callbackify } from 'node:util';
import type { ISocketFactory } from 'kafkajs';
import { LilyError } from '#domain/errors.ts';

/** Resolves a host to the addresses that may be connected to. @throws LilyError `source-refused` or `source-unreachable` */
export type Resolve = (host: string) => Promise<string[]>;

/** Bytes of one answer of a broker, at most. A larger one is not waited for: the client would hold all of it in memory. */
const answerBytes = 48 * 1024 * 1024;
const keepAliveMs = 60_000;

/**
 * Opens the sockets of a Kafka client whose brokers a tenant has named. A broker names further ones by itself, so every
 * connection is checked, by whatever name, and goes to the very address that was looked at.
 *
 * @param onRefusal hears of each host that may not be connected to: the client itself only says that a connection failed
 */
export function guardedSockets(resolve: Resolve, onRefusal: (refusal: LilyError) => void): ISocketFactory {
  const resolved = callbackify(resolve);
  return ({ host, port, ssl, onConnect }) => {
    // Whatever the name says, an address or a name, Node asks here for where to connect to.
    const lookup: LookupFunction = (_name, { all }, callback) => {
      resolved(host, (error: unknown, addresses: string[] = []) => {
        const [first = ''] = addresses;
        if (error instanceof LilyError) onRefusal(error);
        if (error !== null) callback(error as NodeJS.ErrnoException, '', 0);
        else if (all === true)
          callback(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          );
        else callback(null, first, isIP(first));
      });
    };
    const target = { host: 'broker', port, lookup };
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket: Socket = ssl
      ? connectTls({ ...servername, ...ssl, ...target }, onConnect)
      : connect(target, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    boundAnswers(socket, answerBytes);
    return socket;
  };
}

/** Destroys the socket when an answer announces itself as larger than it may be. Each begins with its length, 4 bytes. */
export function boundAnswers(socket: Pick<Socket, 'on' | 'destroy'>, maxBytes: number): void {
  let head: number[] = [];
  let rest = 0;
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      if (rest > 0) {
        const step = Math.min(rest, chunk.length - at);
        rest -= step;
        at += step;
        continue;
      }
      head.push(chunk[at] ?? 0);
      at += 1;
      if (head.length < 4) continue;
      rest = Buffer.from(head).readInt32BE();
      head = [];
      if (rest >= 0 && rest <= maxBytes) continue;
      socket.destroy(new Error(`the broker announced an answer of ${rest} bytes`));
      return;
    }
  });
}
