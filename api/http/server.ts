import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { LilyError, type ErrorCode } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { problemOf, problemType } from './problem.ts';

/** Longest that a request may take to come; uploads have {@link limits.uploadMinutes}. */
const requestTimeoutMs = 120_000;
const uploadTimeoutMs = limits.uploadMinutes * 60_000;

/**
 * An HTTP server that does not let a client hold it: headers within 10 s, a whole request within 2 minutes unless it brings
 * a file.
 */
export function httpServer(listener: RequestListener): Server {
  const timeouts = { headersTimeout: 10_000, requestTimeout: uploadTimeoutMs, keepAliveTimeout: 65_000 };
  const server = createServer(timeouts, (request, response) => {
    if (!bringsFile(request)) limitBody(request, requestTimeoutMs);
    listener(request, response);
  });
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

function bringsFile({ url = '', headers }: IncomingMessage): boolean {
  return /^\/v1\/uploads(\?|$)/.test(url) || /^multipart\//i.test(headers['content-type'] ?? '');
}

/** Cuts off a request whose body does not come in time. Without a body there is nothing to wait for. */
function limitBody(request: IncomingMessage, timeoutMs: number): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return;
  const timer = setTimeout(() => {
    refuse(Object.assign(new Error('the request took too long'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), request.socket);
  }, timeoutMs);
  timer.unref();
  const clear = (): void => clearTimeout(timer);
  request.once('end', clear).once('close', clear);
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
