import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { LilyError } from '#domain/errors.ts';
import { incidentPolicySchema } from '#domain/incidents/policy.ts';
import type { IncidentUpdateName } from '#domain/incidents/record.ts';
import { limits } from '#domain/limits.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendAnswer, sendJson, type Answer } from '../http/answer.ts';
import { idempotently, type RecordIds } from '../http/idempotent.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { rawBody } from '../http/raw-body.ts';
import { route } from '../http/routes.ts';
import { entryCursor, incidentCursor, isIncidentId, parseEntryCursor, parseIncidentCursor } from './cursors.ts';
import { IncidentService, type IncidentServiceDeps } from './incident-service.ts';
import { receiveMonteCarlo, type MonteCarloDeps } from './monte-carlo.ts';
import {
  assignSchema,
  commentSchema,
  incidentView,
  listQuery,
  noteSchema,
  openIncidentSchema,
  timelineQuery,
  timelineView,
} from './schemas.ts';

export interface IncidentDeps extends IncidentServiceDeps, Pick<MonteCarloDeps, 'senders'> {
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

const bodyBytes = 128 * 1024;
/** Lines of its story that come with an incident. */
const shownEntries = 50;
const reader = requireRole('reader');
const editor = requireRole('editor');
const admin = requireRole('admin');

/** Incidents over REST: the webhook that reports them, how they stand, and what people do with them. */
export function incidentRouter(deps: IncidentDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new IncidentService(deps);
  const { signedIn, idempotency } = deps;

  const webhook: RequestHandler = async (request, response) => {
    const signature = request.get('x-mcd-signature');
    sendJson(response, 200, await receiveMonteCarlo(deps, request.body as Buffer, signature));
  };

  const open = writing(openIncidentSchema, async (request, response, body, ids) => {
    noQuery(request);
    const { incidentId, kept } = await service.open(principalOf(response), body, ids(0));
    const headers = { Location: `/v1/incidents/${incidentId}` };
    if (kept === undefined) return { status: 202, headers, body: { incident_id: incidentId } };
    return { status: 201, headers, body: incidentView(kept) };
  });

  const list: RequestHandler = async (request, response) => {
    const { state, severity, metadata_id: entityId, limit, cursor } = parseQuery(request, listQuery);
    const before = cursor === undefined ? undefined : parseIncidentCursor(cursor);
    const { tenantId } = principalOf(response);
    const found = await service.list(tenantId, { state, severity, entityId, before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      items: items.map(incidentView),
      next_cursor: last === undefined ? null : incidentCursor(last.incident.incident_id),
    });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId } = principalOf(response);
    const id = incidentIdOf(request);
    const kept = await service.get(tenantId, id);
    const entries = await service.timeline(tenantId, id, { limit: shownEntries });
    response.setHeader('Cache-Control', 'private, no-cache');
    sendJson(response, 200, { ...incidentView(kept), timeline: entries.map(timelineView) });
  };

  const timeline: RequestHandler = async (request, response) => {
    const { limit, cursor } = parseQuery(request, timelineQuery);
    const before = cursor === undefined ? undefined : parseEntryCursor(cursor);
    const { tenantId } = principalOf(response);
    const id = incidentIdOf(request);
    await service.get(tenantId, id);
    const found = await service.timeline(tenantId, id, { before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      items: items.map(timelineView),
      next_cursor: last === undefined ? null : entryCursor(last.seq),
    });
  };

  /** An action on an incident: once for its Idempotency-Key, answered by the incident as it is then. */
  const acting = <Body extends { comment?: string | undefined; assignee?: string | null | undefined }>(
    update: IncidentUpdateName,
    schema: z.ZodType<Body>,
  ): RequestHandler[] =>
    writing(schema, async (request, response, { comment, assignee }, ids) => {
      noQuery(request);
      const action = {
        action_id: ids(0),
        ...(comment !== undefined && { text: comment }),
        ...(assignee != null && { assignee }),
      };
      const kept = await service.act(principalOf(response), incidentIdOf(request), update, action);
      return { status: 200, headers: {}, body: incidentView(kept) };
    });

  function writing<Body>(
    schema: z.ZodType<Body>,
    write: (request: Request, response: Response, body: Body, ids: RecordIds) => Promise<Answer>,
  ): RequestHandler[] {
    const handler: RequestHandler = async (request, response) => {
      const parsed = schema.safeParse(request.body);
      if (!parsed.success) throw invalidInput(parsed.error, 'body');
      const run = (ids: RecordIds): Promise<Answer> => write(request, response, parsed.data, ids);
      sendAnswer(response, await idempotently(idempotency, request, principalOf(response), run));
    };
    return [signedIn, editor, ...jsonBody(bodyBytes), handler];
  }

  const policy: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, await service.policy(principalOf(response).tenantId));
  };

  const putPolicy: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = incidentPolicySchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    sendJson(response, 200, await service.putPolicy(principalOf(response), parsed.data));
  };

  route(router, '/webhook/monte-carlo', { post: [rawBody(limits.webhookBytes), webhook] });
  route(router, '/v1/incident-policy', {
    get: [signedIn, reader, policy],
    put: [signedIn, admin, ...jsonBody(bodyBytes), putPolicy],
  });
  route(router, '/v1/incidents', { get: [signedIn, reader, list], post: open });
  route(router, '/v1/incidents/:id', { get: [signedIn, reader, get] });
  route(router, '/v1/incidents/:id/timeline', { get: [signedIn, reader, timeline] });
  route(router, '/v1/incidents/:id/acknowledge', { post: acting('acknowledge', noteSchema) });
  route(router, '/v1/incidents/:id/assign', { post: acting('assign', assignSchema) });
  route(router, '/v1/incidents/:id/comment', { post: acting('comment', commentSchema) });
  route(router, '/v1/incidents/:id/resolve', { post: acting('resolve', noteSchema) });
  return router;
}

function incidentIdOf(request: Request): string {
  const id = pathParameter(request, 'id');
  if (isIncidentId(id)) return id;
  throw new LilyError('not-found', 'There is no such incident.');
}
