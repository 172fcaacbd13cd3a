import { Router } from 'express';
import { sendJson } from '../http/answer.ts';
import { route } from '../http/routes.ts';
import type { Readiness } from './readiness.ts';

/** `/healthz`: this process lives. `/readyz`: it can serve, dependency by dependency. Neither needs a token. */
export function operationsRouter(readiness: () => Promise<Readiness>): Router {
  const router = Router({ caseSensitive: true, strict: true });
  route(router, '/healthz', {
    get: (_request, response) => {
      response.setHeader('Cache-Control', 'no-store');
      sendJson(response, 200, { status: 'ok' });
    },
  });
  route(router, '/readyz', {
    get: async (_request, response) => {
      const answer = await readiness();
      response.setHeader('Cache-Control', 'no-store');
      if (answer.status !== 'ready') response.setHeader('Retry-After', '2');
      sendJson(response, answer.status === 'ready' ? 200 : 503, answer);
    },
  });
  return router;
}
