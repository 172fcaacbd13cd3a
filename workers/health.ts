import { createServer, type Server } from 'node:http';

/** Answers `GET /healthz` for orchestrators: 200 while the worker runs. */
export function serveHealth(port: number, state: () => { ok: boolean; detail: string }): Server {
  const server = createServer((request, response) => {
    if (request.url !== '/healthz') {
      response.writeHead(404).end();
      return;
    }
    const { ok, detail } = state();
    response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: ok ? 'ok' : 'failing', detail }));
  });
  return server.listen(port);
}
