import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendAnswer, sendJson } from '../http/answer.ts';
import { idempotently } from '../http/idempotent.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import { newSourceSchema, pageQuery, replaceSourceSchema } from './schemas.ts';
import type { SourceService } from './source-service.ts';
import { isId, pageOf, parseIdCursor, sourceView } from './views.ts';

export interface SourceRouterDeps {
  sources: SourceService;
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

const bodyBytes = 64 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');

/** Saved sources over REST. */
export function sourceRouter({ sources, signedIn, idempotency }: SourceRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const create: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = newSourceSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const principal = principalOf(response);
    const { name, source } = parsed.data;
    const answer = await idempotently(idempotency, request, principal, async (ids) => {
      const saved = await sources.create(principal, name, source, ids(0));
      return { status: 201, headers: { Location: `/v1/sources/${saved._id}` }, body: sourceView(saved) };
    });
    sendAnswer(response, answer);
  };

  const list: RequestHandler = async (request, response) => {
    const { limit, cursor } = parseQuery(request, pageQuery);
    const before = cursor === undefined ? undefined : parseIdCursor('s', cursor);
    const found = await sources.list(principalOf(response).tenantId, { before, limit: limit + 1 });
    sendJson(response, 200, pageOf('s', found, limit, sourceView));
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const saved = await sources.get(principalOf(response).tenantId, idOf(pathParameter(request, 'id')));
    sendJson(response, 200, sourceView(saved));
  };

  const replace: RequestHandler = async (request, response) => {
    noQuery(request);
    const id = idOf(pathParameter(request, 'id'));
    const parsed = replaceSourceSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { name, source } = parsed.data;
    sendJson(response, 200, sourceView(await sources.replace(principalOf(response), id, name, source)));
  };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    await sources.remove(principalOf(response).tenantId, idOf(pathParameter(request, 'id')));
    response.status(204).end();
  };

  const test: RequestHandler = async (request, response) => {
    noQuery(request);
    const result = await sources.test(principalOf(response).tenantId, idOf(pathParameter(request, 'id')));
    sendJson(response, 200, { ok: result.ok, reason: result.reason ?? null, latency_ms: result.latencyMs });
  };

  route(router, '/v1/sources', {
    get: [signedIn, reader, list],
    post: [signedIn, operator, ...jsonBody(bodyBytes), create],
  });
  route(router, '/v1/sources/:id', {
    get: [signedIn, reader, get],
    put: [signedIn, operator, ...jsonBody(bodyBytes), replace],
    delete: [signedIn, operator, remove],
  });
  route(router, '/v1/sources/:id/test', { post: [signedIn, operator, test] });
  return router;
}

function idOf(text: string): string {
  if (isId(text)) return text;
  throw new LilyError('not-found', 'There is no such source.');
}
