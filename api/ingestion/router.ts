import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendAnswer, sendJson } from '../http/answer.ts';
import { idempotently } from '../http/idempotent.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import { unlessMultipart } from './file-start.ts';
import { runActions, type RunAction } from './run-control.ts';
import { listQuery } from './schemas.ts';
import { startedRun, startHandler, type StartDeps } from './start-handler.ts';
import { uploadHandlers } from './uploads.ts';
import { isId, pageOf, parseIdCursor, runView } from './views.ts';

export interface IngestionDeps extends StartDeps {
  signedIn: RequestHandler;
}

const bodyBytes = 64 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');

/** Runs over REST: start, watch, steer, and go on with one that stopped. */
export function ingestionRouter(deps: IngestionDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { runs, signedIn, idempotency } = deps;

  const rerun: RequestHandler = async (request, response) => {
    noQuery(request);
    const principal = principalOf(response);
    const oldRunId = runIdOf(pathParameter(request, 'id'));
    const answer = await idempotently(idempotency, request, principal, async (ids) =>
      startedRun(await runs.rerun(principal, oldRunId, ids(0))),
    );
    sendAnswer(response, answer);
  };

  const retry: RequestHandler = async (request, response) => {
    noQuery(request);
    const principal = principalOf(response);
    const runId = runIdOf(pathParameter(request, 'id'));
    const answer = await idempotently(idempotency, request, principal, async () =>
      startedRun(await runs.retry(principal, runId)),
    );
    sendAnswer(response, answer);
  };

  const list: RequestHandler = async (request, response) => {
    const { state, source, schedule, started_from, started_before, limit, cursor } = parseQuery(request, listQuery);
    const found = await runs.list(principalOf(response).tenantId, {
      state,
      source,
      schedule,
      startedFrom: started_from === undefined ? undefined : new Date(started_from),
      startedBefore: started_before === undefined ? undefined : new Date(started_before),
      before: cursor === undefined ? undefined : parseIdCursor('r', cursor),
      limit: limit + 1,
    });
    sendJson(response, 200, pageOf('r', found, limit, runView));
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    response.setHeader('Cache-Control', 'private, no-cache');
    const run = await runs.get(principalOf(response).tenantId, runIdOf(pathParameter(request, 'id')));
    sendJson(response, 200, runView(run));
  };

  const act =
    (action: RunAction): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const run = await runs.act(principalOf(response).tenantId, runIdOf(pathParameter(request, 'id')), action);
      sendJson(response, 200, runView(run));
    };

  route(router, '/v1/ingestions', {
    get: [signedIn, reader, list],
    post: [signedIn, operator, ...unlessMultipart(jsonBody(bodyBytes)), startHandler(deps)],
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
  route(router, '/v1/ingestions/:id/retry', { post: [signedIn, operator, retry] });
  route(router, '/v1/ingestions/:id/rerun', { post: [signedIn, operator, rerun] });
  return router;
}

function runIdOf(text: string): string {
  if (isId(text)) return text;
  throw new LilyError('not-found', 'There is no such run.');
}
