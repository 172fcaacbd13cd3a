import { Router } from 'express';
import swaggerUi from 'swagger-ui-express';
import { route } from '../http/routes.ts';
import type { JsonSchema } from './schema-components.ts';

/** `/openapi.json`, and `/docs` where people can try it. All of it is served from here. */
export function openApiRouter(document: JsonSchema): Router {
  const router = Router({ caseSensitive: true, strict: false });
  const text = JSON.stringify(document);
  route(router, '/openapi.json', {
    get: (_request, response) => {
      response
        .set('Content-Type', 'application/json; charset=utf-8')
        .set('Cache-Control', 'public, max-age=60')
        .end(text);
    },
  });
  router.use(
    '/docs',
    swaggerUi.serve,
    swaggerUi.setup(undefined, { swaggerOptions: { url: '/openapi.json' }, customSiteTitle: 'Lily' }),
  );
  return router;
}
