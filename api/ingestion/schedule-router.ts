import { Router, type Request, type RequestHandler, type Response } from 'express';
import { LilyError } from '#domain/errors.ts';
import { scheduleSchema } from '#domain/ingestion/schedule.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import type { z } from 'zod';
import { requireRole } from '../access/sign-in.ts';
import { sendAnswer, sendJson } from '../http/answer.ts';
import { idempotently } from '../http/idempotent.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import { backfillSchema, noteSchema, scheduleListQuery } from './schedule-schemas.ts';
import type { ScheduleService } from './schedule-service.ts';
import { scheduleStateView, scheduleView } from './schedule-views.ts';
import { isId, pageOf, parseIdCursor } from './views.ts';

export interface ScheduleRouterDeps {
  schedules: ScheduleService;
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

const bodyBytes = 16 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');

/** Schedules over REST. */
export function scheduleRouter({ schedules, signedIn, idempotency }: ScheduleRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const create: RequestHandler = async (request, response) => {
    const definition = bodyOf(request, scheduleSchema);
    const principal = principalOf(response);
    const answer = await idempotently(idempotency, request, principal, async (ids) => {
      const schedule = await schedules.create(principal, definition, ids(0));
      return { status: 201, headers: { Location: `/v1/schedules/${schedule._id}` }, body: scheduleView(schedule) };
    });
    sendAnswer(response, answer);
  };

  const list: RequestHandler = async (request, response) => {
    const { source, limit, cursor } = parseQuery(request, scheduleListQuery);
    const before = cursor === undefined ? undefined : parseIdCursor('p', cursor);
    const found = await schedules.list(principalOf(response).tenantId, { source, before, limit: limit + 1 });
    sendJson(response, 200, pageOf('p', found, limit, scheduleView));
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    response.setHeader('Cache-Control', 'private, no-cache');
    sendJson(response, 200, scheduleStateView(await schedules.state(principalOf(response).tenantId, idOf(request))));
  };

  const replace: RequestHandler = async (request, response) => {
    const id = idOf(request);
    const definition = bodyOf(request, scheduleSchema);
    sendJson(response, 200, scheduleView(await schedules.replace(principalOf(response), id, definition)));
  };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    await schedules.remove(principalOf(response).tenantId, idOf(request));
    response.status(204).end();
  };

  const pause =
    (paused: boolean): RequestHandler =>
    async (request: Request, response: Response) => {
      const id = idOf(request);
      const { note } = bodyOf(request, noteSchema);
      sendJson(response, 200, scheduleView(await schedules.pause(principalOf(response), id, paused, note)));
    };

  const trigger: RequestHandler = async (request, response) => {
    noQuery(request);
    const [principal, id] = [principalOf(response), idOf(request)];
    const answer = await idempotently(idempotency, request, principal, async (ids) => {
      const runId = ids(0);
      const workflowId = await schedules.trigger(principal, id, runId);
      const body = { run_id: runId, workflow_id: workflowId };
      return { status: 202, headers: { Location: `/v1/ingestions/${runId}` }, body };
    });
    sendAnswer(response, answer);
  };

  const backfill: RequestHandler = async (request, response) => {
    const [principal, id] = [principalOf(response), idOf(request)];
    const { from, to } = bodyOf(request, backfillSchema);
    const answer = await idempotently(idempotency, request, principal, async (ids) => {
      const started = await schedules.backfill(principal.tenantId, id, new Date(from), new Date(to), ids(0));
      const times = started.times.map((time) => time.toISOString());
      const body = { workflow_id: started.workflowId, times, already_run: started.alreadyRun };
      return { status: 202, headers: {}, body };
    });
    sendAnswer(response, answer);
  };

  const body = jsonBody(bodyBytes);
  route(router, '/v1/schedules', { get: [signedIn, reader, list], post: [signedIn, operator, ...body, create] });
  route(router, '/v1/schedules/:id', {
    get: [signedIn, reader, get],
    put: [signedIn, operator, ...body, replace],
    delete: [signedIn, operator, remove],
  });
  route(router, '/v1/schedules/:id/pause', { post: [signedIn, operator, ...body, pause(true)] });
  route(router, '/v1/schedules/:id/resume', { post: [signedIn, operator, ...body, pause(false)] });
  route(router, '/v1/schedules/:id/trigger', { post: [signedIn, operator, trigger] });
  route(router, '/v1/schedules/:id/backfill', { post: [signedIn, operator, ...body, backfill] });
  return router;
}

function bodyOf<Schema extends z.ZodType>(request: Request, schema: Schema): z.infer<Schema> {
  noQuery(request);
  const parsed = schema.safeParse(request.body);
  if (!parsed.success) throw invalidInput(parsed.error, 'body');
  return parsed.data;
}

function idOf(request: Request): string {
  const id = pathParameter(request, 'id');
  if (isId(id)) return id;
  throw new LilyError('not-found', 'There is no such schedule.');
}
