import { createServer } from 'node:net';
import { StackError } from '../failure.ts';
import { SUGGESTED_OFFSET } from '../ports.ts';

/** A port that is about to be used, and by what. */
export interface WantedPort {
  readonly port: number;
  readonly purpose: string;
}

/** Whether somebody listens on a port of the loopback interface (or keeps it from being listened on). */
export async function isPortTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(false)));
  });
}

/** The sentence that names the taken ports and says how to move the stack. */
export function takenPortsMessage(taken: readonly WantedPort[]): string {
  const list = taken.map(({ port, purpose }) => `${port} (${purpose})`).join(', ');
  const [noun, verb, it] = taken.length === 1 ? ['Port', 'is', 'it'] : ['Ports', 'are', 'them'];
  return (
    `${noun} ${list} ${verb} already used by another program: end that program, ` +
    `or move the whole stack away from ${it}, for example with LILY_PORT_OFFSET=${SUGGESTED_OFFSET}.`
  );
}

/** @throws {StackError} when any of the ports is taken. */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const taken = (await Promise.all(wanted.map(async (port) => ((await isPortTaken(port.port)) ? [port] : [])))).flat();
  if (taken.length > 0) throw new StackError(takenPortsMessage(taken));
}
