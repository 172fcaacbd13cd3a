import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';

/** A name for a database that nobody else has. */
export function freshName(): string {
  return `db_${randomBytes(4).toString('hex')}`;
}

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}
