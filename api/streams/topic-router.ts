import { Router, type RequestHandler } from 'express';
import { followedTopicSchema, topicNameSchema } from '#domain/streams/topic.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendJson } from '../http/answer.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import { TopicService, type TopicServiceDeps } from './topic-service.ts';

export interface TopicRouterDeps extends TopicServiceDeps {
  signedIn: RequestHandler;
}

const bodyBytes = 128 * 1024;
const reader = requireRole('reader');
const operator = requireRole('operator');

/** Topics that are followed, over REST. */
export function topicRouter(deps: TopicRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new TopicService(deps);
  const { signedIn } = deps;

  const put: RequestHandler = async (request, response) => {
    noQuery(request);
    const name = topicNameSchema.safeParse(pathParameter(request, 'name'));
    if (!name.success) throw new InvalidInput(`The name in the address ${name.error.issues[0]?.message}`);
    const parsed = followedTopicSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { topic, isNew } = await service.put(principalOf(response), name.data, parsed.data);
    sendJson(response, isNew ? 201 : 200, topic);
  };

  const list: RequestHandler = async (request, response) => {
    noQuery(request);
    sendJson(response, 200, { items: await service.list(principalOf(response).tenantId) });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    response.setHeader('Cache-Control', 'private, no-cache');
    sendJson(response, 200, await service.get(principalOf(response).tenantId, pathParameter(request, 'name')));
  };

  const setPaused =
    (paused: boolean): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const { tenantId } = principalOf(response);
      sendJson(response, 200, await service.setPaused(tenantId, pathParameter(request, 'name'), paused));
    };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    await service.remove(principalOf(response).tenantId, pathParameter(request, 'name'));
    response.status(204).end();
  };

  route(router, '/v1/integrations/topics', { get: [signedIn, reader, list] });
  route(router, '/v1/integrations/topics/:name', {
    get: [signedIn, reader, get],
    put: [signedIn, operator, ...jsonBody(bodyBytes), put],
    delete: [signedIn, operator, remove],
  });
  route(router, '/v1/integrations/topics/:name/pause', { post: [signedIn, operator, setPaused(true)] });
  route(router, '/v1/integrations/topics/:name/resume', { post: [signedIn, operator, setPaused(false)] });
  return router;
}
