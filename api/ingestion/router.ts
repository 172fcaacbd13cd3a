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
import { runActions, type RunAction } from './run-control.ts';
import { RunService, type RunServiceDeps } from './run-service.ts';
import { listQuery, startRunSchema } from './schemas.ts';
import { uploadHandlers, type UploadDeps } from './uploads.ts';
import { isRunId, parseRunCursor, runCursor, runView } from './views.ts';

export interface IngestionDeps extends RunServiceDeps, UploadDeps {
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

const bodyBytes = 64 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');

/** Runs over REST: start, watch, steer. */
export function ingestionRouter(deps: IngestionDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new RunService(deps);
  const { signedIn } = deps;

  const start: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = startRunSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const principal = principalOf(response);
    const answer = await idempotently(deps.idempotency, request, principal, async (ids) => {
      const run = await service.start(principal, parsed.data.source, ids(0));
      return { status: 202, headers: { Location: `/v1/ingestions/${run._id}` }, body: runView(run) };
    });
    sendAnswer(response, answer);
  };

  const list: RequestHandler = async (request, response) => {
    const { state, limit, cursor } = parseQuery(request, listQuery);
    const before = cursor === undefined ? undefined : parseRunCursor(cursor);
    const found = await service.list(principalOf(response).tenantId, { state, before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      items: items.map(runView),
      next_cursor: last === undefined ? null : runCursor(last._id),
    });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    response.setHeader('Cache-Control', 'private, no-cache');
    sendJson(
      response,
      200,
      runView(await service.get(principalOf(response).tenantId, runIdOf(pathParameter(request, 'id')))),
    );
  };

  const act =
    (action: RunAction): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const run = await service.act(principalOf(response).tenantId, runIdOf(pathParameter(request, 'id')), action);
      sendJson(response, 200, runView(run));
    };

  route(router, '/v1/ingestions', {
    get: [signedIn, reader, list],
    post: [signedIn, operator, ...jsonBody(bodyBytes), start],
  });
  const uploads = uploadHandlers(deps);
  route(router, '/v1/uploads', { post: [signedIn, operator, uploads.store] });
  route(router, '/v1/uploads/:id', {
    get: [signedIn, reader, uploads.get],
    delete: [signedIn, operator, uploads.remove],
  });
  route(router, '/v1/ingestions/:id', { get: [signedIn, reader, get] });
  for (const action of runActions) {
    route(router, `/v1/ingestions/:id/${action}`, { post: [signedIn, operator, act(action)] });
  }
  return router;
}

function runIdOf(text: string): string {
  if (isRunId(text)) return text;
  throw new LilyError('not-found', 'There is no such run.');
}
