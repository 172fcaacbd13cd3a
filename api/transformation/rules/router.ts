import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { ruleSetSchema, type RuleSetDefinition } from '#domain/transformation/rules/schema.ts';
import type { RuleSetDoc } from '#platform/mongo/rule-sets.ts';
import { requireRole } from '../../access/sign-in.ts';
import { sendAnswer, sendJson } from '../../http/answer.ts';
import { invalidInput } from '../../http/invalid-input.ts';
import { jsonBody } from '../../http/json-body.ts';
import { pathParameter, principalOf } from '../../http/locals.ts';
import { inTime } from '../../http/outage.ts';
import { noQuery, parseQuery } from '../../http/query.ts';
import { route } from '../../http/routes.ts';
import { cursorOf, parseCursor } from '../paging.ts';
import { rulesQuery, tryRulesSchema, type RuleSetSummary } from './schemas.ts';
import { RuleService, type RuleServiceDeps } from './service.ts';

export interface RuleRouterDeps extends RuleServiceDeps {
  signedIn: RequestHandler;
}

const reader = requireRole('reader');
const operator = requireRole('operator');
const admin = requireRole('admin');
const cursorKind = 'rules1';

/** Transformation rules over REST: draft, try, switch on. */
export function ruleRouter(deps: RuleRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const service = new RuleService(deps);
  const { signedIn, ruleSets } = deps;

  const stateOf = async (tenantId: string) => {
    const { version: active, history } = await inTime('MongoDB', ruleSets.activation(tenantId));
    const once = new Set(history.map(({ version }) => version));
    const summary = (document: Omit<RuleSetDoc, 'definition'>): RuleSetSummary => ({
      version: document.version,
      state: document.version === active ? 'active' : once.has(document.version) ? 'retired' : 'draft',
      rules: document.rules,
      created_at: document.created_at.toISOString(),
      created_by: document.created_by,
    });
    const whole = (document: RuleSetDoc) => ({
      ...summary(document),
      definition: JSON.parse(document.definition) as RuleSetDefinition,
    });
    return { active, history, summary, whole };
  };

  const list: RequestHandler = async (request, response) => {
    const { limit, cursor } = parseQuery(request, rulesQuery);
    const { tenantId } = principalOf(response);
    const before = cursor === undefined ? undefined : Number(parseCursor(cursorKind, cursor, /^[1-9]\d{0,8}$/));
    const [found, { active, history, summary }] = await Promise.all([
      inTime('MongoDB', ruleSets.list(tenantId, { before, limit: limit + 1 })),
      stateOf(tenantId),
    ]);
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      active_version: active === 0 ? null : active,
      items: items.map(summary),
      history: history
        .map(({ version, at, by }) => ({ version, at: at.toISOString(), by }))
        .toReversed()
        .slice(0, limits.pageSize),
      next_cursor: last === undefined ? null : cursorOf(cursorKind, String(last.version)),
    });
  };

  const put: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = ruleSetSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const principal = principalOf(response);
    const document = await service.draft(principal, parsed.data);
    const { whole } = await stateOf(principal.tenantId);
    const headers = { Location: `/v1/transformation-rules/${document.version}` };
    sendAnswer(response, { status: 201, headers, body: whole(document) });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const { tenantId } = principalOf(response);
    const document = await service.get(tenantId, versionOf(pathParameter(request, 'version')));
    const { whole } = await stateOf(tenantId);
    sendJson(response, 200, whole(document));
  };

  const trial: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = tryRulesSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const { tenantId } = principalOf(response);
    sendJson(response, 200, await service.try(tenantId, versionOf(pathParameter(request, 'version')), parsed.data));
  };

  const activate: RequestHandler = async (request, response) => {
    noQuery(request);
    const principal = principalOf(response);
    const document = await service.activate(principal, versionOf(pathParameter(request, 'version')));
    const { whole } = await stateOf(principal.tenantId);
    sendJson(response, 200, whole(document));
  };

  const path = '/v1/transformation-rules';
  route(router, path, {
    get: [signedIn, reader, list],
    put: [signedIn, operator, ...jsonBody(limits.ruleSetBytes), put],
  });
  route(router, `${path}/:version`, { get: [signedIn, reader, get] });
  route(router, `${path}/:version/test`, { post: [signedIn, operator, ...jsonBody(), trial] });
  route(router, `${path}/:version/activate`, { post: [signedIn, admin, activate] });
  return router;
}

function versionOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new LilyError('not-found', 'There is no such version.');
}
