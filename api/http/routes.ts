import type { RequestHandler, Router } from 'express';
import { LilyError } from '#domain/errors.ts';

const verbs = ['get', 'post', 'put', 'delete', 'patch'] as const;

type Verb = (typeof verbs)[number];

/** What an address answers to, by method. */
export type Methods = Partial<Record<Verb, RequestHandler | RequestHandler[]>>;

/** Registers an address with all its methods; any other method is answered with 405 and `Allow`. */
export function route(router: Router, path: string, methods: Methods): void {
  const allowed: string[] = ['OPTIONS'];
  for (const verb of verbs) {
    const handlers = methods[verb];
    if (handlers === undefined) continue;
    router[verb](path, handlers);
    allowed.push(verb.toUpperCase());
    if (verb === 'get') allowed.push('HEAD');
  }
  const allow = allowed.sort().join(', ');
  router.all(path, (request, response) => {
    response.set('Allow', allow);
    if (request.method === 'OPTIONS') {
      response.status(204).end();
      return;
    }
    throw new LilyError('method-not-allowed', `${request.method} is not possible here; ${allow} are.`);
  });
}
