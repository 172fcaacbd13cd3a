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
 *
 * @throws what {@link connectGuarded} fails with, or the network, when the place cannot be reached within `timeoutMs`
 */
export async function openRelay(target: GuardedTarget, meter: ByteMeter, timeoutMs: number): Promise<Relay> {
  let failure: unknown;
  const open = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    open.add(socket);
    return socket.once('close', () => open.delete(socket));
  };
  const connected = target.tls === undefined ? 'connect' : 'secureConnect';
  const dial = (): Socket => {
    const far = keep(connectGuarded(target));
    meter.watch(far);
    far.once(connected, () => (failure = undefined));
    return far.on('error', (error) => (failure = error));
  };
  // The first connection is made before the driver asks: a driver would try for long, and tell little of what was wrong.
  const first = dial();
  await reached(first, connected, timeoutMs);
  let waiting: Socket | undefined = first;
  const server = createServer((near) => {
    keep(near);
    const far = waiting?.destroyed === false ? waiting : dial();
    waiting = undefined;
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

async function reached(socket: Socket, connected: string, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const late = (): void => {
      socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    };
    const timer = setTimeout(late, timeoutMs);
    socket.once(connected, () => resolve()).once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    });
    socket.once(connected, () => clearTimeout(timer));
  });
}
