import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server at another port than the one that it says it has. */
export interface Proxy {
  port: number;
  /** Connections that were made through it. */
  connections(): number;
  /** Breaks everything off, and takes no more. */
  close(): Promise<void>;
}

export async function proxyTo(target: { host: string; port: number }, port = 0): Promise<Proxy> {
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    connections += 1;
    const far = connect(target.port, target.host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
