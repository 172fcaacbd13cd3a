import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendJson } from '../http/answer.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery } from '../http/query.ts';
import { rawBody } from '../http/raw-body.ts';
import { route } from '../http/routes.ts';
import { receiveWebhook, type DeliveryDeps } from './delivery.ts';
import { EndpointService, type EndpointDeps, type WithSecret } from './endpoint-service.ts';
import { putEndpointSchema, rotateSchema, sourceNamePattern } from './schemas.ts';

export interface WebhookDeps extends EndpointDeps, DeliveryDeps {
  endpoints: EndpointDeps['endpoints'];
  secretBox: EndpointDeps['secretBox'];
  signedIn: RequestHandler;
}

const bodyBytes = 64 * 1024;
const reader = requireRole('reader');
const admin = requireRole('admin');

/** Webhooks as they come in, and the places where they do. */
export function webhookRouter(deps: WebhookDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new EndpointService(deps);
  const { signedIn } = deps;

  const receive: RequestHandler = async (request, response) => {
    noQuery(request);
    const endpoint = pathParameter(request, 'endpoint');
    sendJson(response, 202, await receiveWebhook(deps, endpoint, request.headers, request.body as Buffer));
  };

  const put: RequestHandler = async (request, response) => {
    noQuery(request);
    const source = sourceOf(pathParameter(request, 'source'));
    const parsed = putEndpointSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { isNew, ...answer } = await service.put(principalOf(response), source, parsed.data);
    response.setHeader('Cache-Control', 'no-store');
    sendJson(response, isNew ? 201 : 200, shown(answer));
  };

  const rotate: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = rotateSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { keep_previous_seconds: keepSeconds, secret } = parsed.data;
    const source = pathParameter(request, 'source');
    const answer = await service.rotate(principalOf(response).tenantId, source, { keepSeconds, secret });
    response.setHeader('Cache-Control', 'no-store');
    sendJson(response, 200, shown(answer));
  };

  const list: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, { items: await service.list(principalOf(response).tenantId) });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, await service.get(principalOf(response).tenantId, pathParameter(request, 'source')));
  };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    await service.remove(principalOf(response).tenantId, pathParameter(request, 'source'));
    response.status(204).end();
  };

  // An address has a full stop in it, which no other webhook of Lily's has: those are left to their own routers.
  router.use('/webhook/:endpoint', (request, _response, next) => {
    next(pathParameter(request, 'endpoint').includes('.') ? undefined : 'router');
  });
  route(router, '/webhook/:endpoint', { post: [rawBody(limits.webhookBytes), receive] });
  route(router, '/v1/integrations/webhooks', { get: [signedIn, reader, list] });
  route(router, '/v1/integrations/webhooks/:source', {
    get: [signedIn, reader, get],
    put: [signedIn, admin, ...jsonBody(bodyBytes), put],
    delete: [signedIn, admin, remove],
  });
  route(router, '/v1/integrations/webhooks/:source/rotate', {
    post: [signedIn, admin, ...jsonBody(bodyBytes), rotate],
  });
  return router;
}

function shown({ endpoint, secret }: WithSecret): object {
  return { ...endpoint, ...(secret === undefined ? {} : { secret }) };
}

function sourceOf(text: string): string {
  if (sourceNamePattern.test(text)) return text;
  throw new LilyError(
    'invalid-input',
    'The source in the address must be 1 to 63 lower-case letters, digits, `_` or `-`, starting with a letter or digit',
  );
}
