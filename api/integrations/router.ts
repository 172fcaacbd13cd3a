import { Router, type RequestHandler } from 'express';
import { requireRole } from '../access/sign-in.ts';
import { sendJson } from '../http/answer.ts';
import { invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import { IntegrationService, type IntegrationServiceDeps } from './integration-service.ts';
import { monteCarloSchema, monteCarloView } from './schemas.ts';

export interface IntegrationDeps extends IntegrationServiceDeps {
  signedIn: RequestHandler;
}

const bodyBytes = 16 * 1024;
const admin = requireRole('admin');
const kind = 'monte-carlo';

/** Which foreign systems may speak to Lily, and how they prove who they are. */
export function integrationRouter(deps: IntegrationDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new IntegrationService(deps);
  const { signedIn } = deps;

  const put: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = monteCarloSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { account_id, secret } = parsed.data;
    sendJson(response, 200, monteCarloView(await service.put(principalOf(response), kind, account_id, { secret })));
  };

  const list: RequestHandler = async (request, response) => {
    noQuery(request);
    const found = await service.list(principalOf(response).tenantId, kind);
    sendJson(response, 200, { items: found.map(monteCarloView) });
  };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId } = principalOf(response);
    await service.remove({ tenantId, kind, address: pathParameter(request, 'account_id') });
    response.status(204).end();
  };

  const removeSecret: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId } = principalOf(response);
    const ref = { tenantId, kind, address: pathParameter(request, 'account_id') } as const;
    sendJson(response, 200, monteCarloView(await service.removeSecret(ref, pathParameter(request, 'secret_id'))));
  };

  route(router, '/v1/integrations/monte-carlo', {
    get: [signedIn, admin, list],
    put: [signedIn, admin, ...jsonBody(bodyBytes), put],
  });
  route(router, '/v1/integrations/monte-carlo/:account_id', { delete: [signedIn, admin, remove] });
  route(router, '/v1/integrations/monte-carlo/:account_id/secrets/:secret_id', {
    delete: [signedIn, admin, removeSecret],
  });
  return router;
}
