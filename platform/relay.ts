import { createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { ByteMeter } from './byte-meter.ts';
import { connectGuarded, type GuardedTarget } from './guarded-socket.ts';

/** A door on the loopback interface that leads to one guarded place. */
export interface Relay {
  port: number;
  /** Why the last connection did not come about, if it did not. */
  failure(): unknown;
  close(): Promise<void>;
}

/** More than a driver opens for one session. */
const mostConnections = 8;

/**
 * For drivers that take an address and no socket: they connect to the relay, and the relay connects to the judged address,
 * speaks TLS to it, and counts the bytes. So whatever the driver or the server would rather connect to, it is this place.
 */
export async function openRelay(target: GuardedTarget, meter: ByteMeter): Promise<Relay> {
  let failure: unknown;
  const open = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    open.add(socket);
    return socket.once('close', () => open.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    const far = keep(connectGuarded(target));
    meter.watch(far);
    far.once(target.tls === undefined ? 'connect' : 'secureConnect', () => (failure = undefined));
    far.once('error', (error) => (failure = error));
    pipeline(near, far, near, () => {
      near.destroy();
      far.destroy();
    });
  });
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    failure: () => failure,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
