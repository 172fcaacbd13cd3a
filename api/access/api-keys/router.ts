import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { newRecordId, sha256Hex } from '#platform/digest.ts';
import type { ApiKeyDoc, ApiKeys } from '#platform/mongo/api-keys.ts';
import { sendJson } from '../../http/answer.ts';
import { invalidInput } from '../../http/invalid-input.ts';
import { jsonBody } from '../../http/json-body.ts';
import { pathParameter, principalOf } from '../../http/locals.ts';
import { inTime } from '../../http/outage.ts';
import { noQuery, parseQuery } from '../../http/query.ts';
import { route } from '../../http/routes.ts';
import { requireRole } from '../sign-in.ts';
import { createKeySchema, keyListQuery, type KeyView } from './schemas.ts';
import { newApiKey } from './verifier.ts';

export interface ApiKeyDeps {
  signedIn: RequestHandler;
  apiKeys: ApiKeys;
}

const bodyBytes = 16 * 1024;
const admin = requireRole('admin');

/** API keys over REST: for administrators. */
export function apiKeyRouter({ signedIn, apiKeys }: ApiKeyDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });

  const create: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = createKeySchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { name, roles, expires_at: expiresAt } = parsed.data;
    const principal = principalOf(response);
    const key = newApiKey();
    const document: ApiKeyDoc = {
      _id: newRecordId(),
      tenant_id: principal.tenantId,
      name,
      roles: [...new Set(roles)],
      digest: sha256Hex(key),
      created_by: principal.userId,
      created_at: new Date(),
      ...(expiresAt !== undefined && { expires_at: new Date(expiresAt) }),
    };
    await inTime('MongoDB', apiKeys.create(document));
    response.setHeader('Location', `/v1/api-keys/${document._id}`);
    response.setHeader('Cache-Control', 'no-store');
    sendJson(response, 201, { ...keyView(document), key });
  };

  const list: RequestHandler = async (request, response) => {
    const { limit, cursor } = parseQuery(request, keyListQuery);
    const { tenantId } = principalOf(response);
    const found = await inTime('MongoDB', apiKeys.list(tenantId, { before: cursor, limit: limit + 1 }));
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, { items: items.map(keyView), next_cursor: last?._id ?? null });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId } = principalOf(response);
    const found = await inTime('MongoDB', apiKeys.get(tenantId, pathParameter(request, 'id')));
    if (found === undefined) throw noKey();
    sendJson(response, 200, keyView(found));
  };

  const revoke: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId, userId } = principalOf(response);
    const found = await inTime('MongoDB', apiKeys.revoke(tenantId, pathParameter(request, 'id'), userId));
    if (found === undefined) throw noKey();
    response.status(204).end();
  };

  route(router, '/v1/api-keys', {
    get: [signedIn, admin, list],
    post: [signedIn, admin, ...jsonBody(bodyBytes), create],
  });
  route(router, '/v1/api-keys/:id', { get: [signedIn, admin, get], delete: [signedIn, admin, revoke] });
  return router;
}

function noKey(): LilyError {
  return new LilyError('not-found', 'There is no such API key');
}

function keyView(key: ApiKeyDoc): KeyView {
  const expired = key.expires_at !== undefined && key.expires_at <= new Date();
  return {
    key_id: key._id,
    name: key.name,
    roles: key.roles,
    state: key.revoked_at !== undefined ? 'revoked' : expired ? 'expired' : 'active',
    created_by: key.created_by,
    created_at: key.created_at.toISOString(),
    expires_at: key.expires_at?.toISOString() ?? null,
    last_used_at: key.last_used_at?.toISOString() ?? null,
    revoked_at: key.revoked_at?.toISOString() ?? null,
    revoked_by: key.revoked_by ?? null,
  };
}
