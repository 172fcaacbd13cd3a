import { createServer, type RequestListener, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { LilyError, type ErrorCode } from '#domain/errors.ts';
import { problemOf, problemType } from './problem.ts';

/** An HTTP server that does not let a client hold it: headers within 10 s, a whole request within 2 minutes. */
export function httpServer(listener: RequestListener): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 120_000, keepAliveTimeout: 65_000 }, listener);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(error, socket));
  return server;
}

/** Listens. Rejects with a clear sentence when the port is taken. */
export async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`Port ${port} at ${host} is taken already`) : error);
    });
    server.listen(port, host, resolve);
  });
}

/** Stops accepting and waits for the requests under way; those that take longer than the grace are cut off. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
}

const refusals: Record<string, [status: string, code: ErrorCode, detail: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'invalid-input', 'The headers are larger than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'invalid-input', 'The request did not come in time'],
};

/** Answers what is not HTTP, before any handler could. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, detail] = refusals[error.code ?? ''] ?? [
    '400 Bad Request',
    'invalid-input',
    'This is not an HTTP request',
  ];
  const problem = { ...problemOf(new LilyError(code, detail)), status: Number(status.slice(0, 3)) };
  const body = JSON.stringify(problem);
  const headers = [`Content-Type: ${problemType}`, `Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close'];
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}
