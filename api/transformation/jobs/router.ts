import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import type { JobKind } from '#domain/transformation/job.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import { requireRole } from '../../access/sign-in.ts';
import { sendAnswer, sendJson } from '../../http/answer.ts';
import { idempotently } from '../../http/idempotent.ts';
import { InvalidInput, invalidInput } from '../../http/invalid-input.ts';
import { jsonBody } from '../../http/json-body.ts';
import { pathParameter, principalOf } from '../../http/locals.ts';
import { noQuery, parseQuery } from '../../http/query.ts';
import { route } from '../../http/routes.ts';
import { cursorOf, parseCursor } from '../paging.ts';
import { jobActions, type JobAction } from './control.ts';
import { jobsQuery, jobView, reprocessSchema } from './schemas.ts';
import type { JobService } from './service.ts';

export interface JobRouterDeps {
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
  service: JobService;
}

export const jobPaths = { replay: '/v1/replays', reprocess: '/v1/reprocessings' } as const;

const bodyBytes = 16 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Replays and reprocessings over REST: watch and steer; reprocessings are started here as well. */
export function jobRouter({ signedIn, idempotency, service }: JobRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const start: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = reprocessSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { dry_run, ...range } = parsed.data;
    if (Date.parse(range.from) >= Date.parse(range.to)) {
      throw new InvalidInput('/to in the body must be later than from', [
        { field: '/to', detail: 'must be later than from' },
      ]);
    }
    const principal = principalOf(response);
    const answer = await idempotently(idempotency, request, principal, async (ids) => {
      const job = await service.reprocess(principal, range, dry_run, ids(0));
      return { status: 202, headers: { Location: `${jobPaths.reprocess}/${job._id}` }, body: jobView(job) };
    });
    sendAnswer(response, answer);
  };

  const list =
    (kind: JobKind): RequestHandler =>
    async (request, response) => {
      const { limit, cursor } = parseQuery(request, jobsQuery);
      const before = cursor === undefined ? undefined : parseCursor(kind, cursor, uuid);
      const found = await service.list(principalOf(response).tenantId, kind, { before, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      sendJson(response, 200, {
        items: items.map(jobView),
        next_cursor: last === undefined ? null : cursorOf(kind, last._id),
      });
    };

  const get =
    (kind: JobKind): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      response.setHeader('Cache-Control', 'private, no-cache');
      sendJson(
        response,
        200,
        jobView(await service.get(principalOf(response).tenantId, kind, idOf(request.params['id']))),
      );
    };

  const act =
    (kind: JobKind, action: JobAction): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const job = await service.act(principalOf(response), kind, idOf(pathParameter(request, 'id')), action);
      sendJson(response, 200, jobView(job));
    };

  route(router, jobPaths.reprocess, {
    get: [signedIn, reader, list('reprocess')],
    post: [signedIn, operator, ...jsonBody(bodyBytes), start],
  });
  route(router, jobPaths.replay, { get: [signedIn, reader, list('replay')] });
  for (const kind of ['replay', 'reprocess'] as const) {
    route(router, `${jobPaths[kind]}/:id`, { get: [signedIn, reader, get(kind)] });
    for (const action of jobActions) {
      route(router, `${jobPaths[kind]}/:id/${action}`, { post: [signedIn, operator, act(kind, action)] });
    }
  }
  return router;
}

function idOf(text: unknown): string {
  if (typeof text === 'string' && uuid.test(text)) return text;
  throw new LilyError('not-found', 'There is no such job.');
}
