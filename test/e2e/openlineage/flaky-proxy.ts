import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of one request on its way. */
type Fate = 'pass' | 'refuse' | 'lose-answer';

export interface FlakyProxy {
  url: string;
  counts: Record<Fate, number>;
  close(): Promise<void>;
}

/**
 * Stands before the API like a bad network: of the requests, each `every`th is refused with 503, and as many get through
 * though their sender is told 502, so that it sends them again.
 */
export async function flakyProxy(target: string, every: number): Promise<FlakyProxy> {
  const counts: Record<Fate, number> = { pass: 0, refuse: 0, 'lose-answer': 0 };
  let seen = 0;
  const server: Server = createServer((incoming, outgoing) => {
    seen += 1;
    const fate: Fate = seen % every === 0 ? 'refuse' : seen % every === 1 ? 'lose-answer' : 'pass';
    counts[fate] += 1;
    if (fate === 'refuse') {
      incoming.resume().on('end', () => outgoing.writeHead(503).end());
      return;
    }
    forward(target, incoming, outgoing, fate);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function forward(target: string, incoming: IncomingMessage, outgoing: ServerResponse, fate: Fate): void {
  const { host: _host, ...headers } = incoming.headers;
  const onward = request(`${target}${incoming.url ?? ''}`, { method: incoming.method ?? 'GET', headers }, (answer) => {
    if (fate === 'lose-answer') {
      answer.resume().on('end', () => outgoing.writeHead(502).end());
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.writeHead(502).end());
  incoming.pipe(onward);
}
