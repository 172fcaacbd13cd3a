import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import type { DeadLetterDoc } from '#platform/mongo/collections.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import type { ReplayTask } from '#platform/mongo/transformation-jobs.ts';
import { requireRole } from '../../access/sign-in.ts';
import { sendAnswer, sendJson } from '../../http/answer.ts';
import { idempotently } from '../../http/idempotent.ts';
import { invalidInput } from '../../http/invalid-input.ts';
import { jsonBody } from '../../http/json-body.ts';
import { pathParameter, principalOf } from '../../http/locals.ts';
import { inTime } from '../../http/outage.ts';
import { noQuery, parseQuery } from '../../http/query.ts';
import { route } from '../../http/routes.ts';
import { jobPaths } from '../jobs/router.ts';
import { jobView, replayManySchema, replayOneSchema } from '../jobs/schemas.ts';
import type { JobService } from '../jobs/service.ts';
import { cursorOf, parseCursor } from '../paging.ts';
import { discardSchema, letterView, lettersQuery, mendSchema } from './schemas.ts';

export interface LetterRouterDeps {
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
  deadLetters: Pick<DeadLetters, 'list' | 'countByReason' | 'get' | 'mend' | 'discard'>;
  rawRecords: Pick<RawRecords, 'record'>;
  service: JobService;
}

const smallBytes = 16 * 1024;
const reader = requireRole('reader');
const editor = requireRole('editor');
const operator = requireRole('operator');
const cursorKind = 'letters1';

/** Dead letters over REST: find, look into, mend, replay, discard. */
export function letterRouter(deps: LetterRouterDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { signedIn, idempotency, deadLetters, rawRecords, service } = deps;

  const find = async (tenantId: string, recordId: string): Promise<DeadLetterDoc> => {
    const letter = await inTime('MongoDB', deadLetters.get(tenantId, recordId));
    // The letter of a replay is told by the letter that was replayed.
    if (letter === undefined || letter.repeats !== undefined) {
      throw new LilyError('not-found', 'There is no such dead letter.');
    }
    return letter;
  };

  const changed = async (tenantId: string, recordId: string, letter: DeadLetterDoc | undefined) => {
    if (letter !== undefined) return letter;
    const { state } = await find(tenantId, recordId);
    throw new LilyError('conflict', `The letter is ${state}; only one that is open or dropped can be changed.`);
  };

  const list: RequestHandler = async (request, response) => {
    const { limit, cursor, counts, ...filter } = parseQuery(request, lettersQuery);
    const principal = principalOf(response);
    const after = cursor === undefined ? undefined : placeOf(parseCursor(cursorKind, cursor, /^\d{1,15}:./su));
    const [found, byReason] = await Promise.all([
      inTime('MongoDB', deadLetters.list(principal.tenantId, { ...filter, after, limit: limit + 1 })),
      counts === 'true' ? inTime('MongoDB', deadLetters.countByReason(principal.tenantId, filter)) : undefined,
    ]);
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    sendJson(response, 200, {
      items: items.map((letter) => letterView(letter, principal)),
      ...(byReason !== undefined && { counts: Object.fromEntries(byReason) }),
      next_cursor: last === undefined ? null : cursorOf(cursorKind, `${last.failed_at.getTime()}:${last._id}`),
    });
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const principal = principalOf(response);
    const letter = await find(principal.tenantId, pathParameter(request, 'id'));
    const raw = await inTime('MongoDB', rawRecords.record(principal.tenantId, letter._id));
    sendJson(response, 200, letterView(letter, principal, raw));
  };

  const mend: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = mendSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    // The caller's own JSON, not the schema's copy: odd but legal keys stay as they are.
    const body = JSON.stringify((request.body as { body: unknown }).body);
    if (Buffer.byteLength(body) > limits.recordBytes) {
      throw new LilyError('body-too-large', `A record may have at most ${limits.recordBytes} bytes`);
    }
    const principal = principalOf(response);
    const { tenantId, userId } = principal;
    const { _id } = await find(tenantId, pathParameter(request, 'id'));
    const letter = await changed(tenantId, _id, await inTime('MongoDB', deadLetters.mend(tenantId, _id, body, userId)));
    sendJson(response, 200, letterView(letter, principal, await inTime('MongoDB', rawRecords.record(tenantId, _id))));
  };

  const discard: RequestHandler = async (request, response) => {
    noQuery(request);
    const parsed = discardSchema.safeParse(request.body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    const principal = principalOf(response);
    const { tenantId, userId } = principal;
    const { _id } = await find(tenantId, pathParameter(request, 'id'));
    const discarding = deadLetters.discard(tenantId, _id, parsed.data.reason, userId);
    sendJson(response, 200, letterView(await changed(tenantId, _id, await inTime('MongoDB', discarding)), principal));
  };

  const replay = (taskOf: (body: unknown, letter: DeadLetterDoc | undefined) => ReplayTask): RequestHandler => {
    return async (request, response) => {
      noQuery(request);
      const principal = principalOf(response);
      const id = pathParameter(request, 'id');
      const letter = id === '' ? undefined : await find(principal.tenantId, id);
      const task = taskOf(request.body, letter);
      const answer = await idempotently(idempotency, request, principal, async (ids) => {
        const job = await service.replay(principal, task, ids(0));
        return { status: 202, headers: { Location: `${jobPaths.replay}/${job._id}` }, body: jobView(job) };
      });
      sendAnswer(response, answer);
    };
  };
  const replayMany = replay((body) => {
    const parsed = replayManySchema.safeParse(body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    return parsed.data;
  });
  const replayOne = replay((body, letter) => {
    const parsed = replayOneSchema.safeParse(body);
    if (!parsed.success) throw invalidInput(parsed.error, 'body');
    if (letter === undefined) throw new LilyError('not-found', 'There is no such dead letter.');
    if (letter.state !== 'open' && letter.state !== 'dropped') {
      throw new LilyError(
        'conflict',
        `The letter is ${letter.state}; only one that is open or dropped can be replayed.`,
      );
    }
    return { filter: { state: letter.state }, record_id: letter._id, force: parsed.data.force };
  });

  const path = '/v1/dead-letters';
  route(router, path, { get: [signedIn, reader, list] });
  route(router, `${path}/replay`, { post: [signedIn, operator, ...jsonBody(smallBytes), replayMany] });
  route(router, `${path}/:id`, { get: [signedIn, reader, get], put: [signedIn, editor, ...jsonBody(), mend] });
  route(router, `${path}/:id/replay`, { post: [signedIn, operator, ...jsonBody(smallBytes), replayOne] });
  route(router, `${path}/:id/discard`, { post: [signedIn, operator, ...jsonBody(smallBytes), discard] });
  return router;
}

function placeOf(text: string): { failedAt: Date; recordId: string } {
  const colon = text.indexOf(':');
  return { failedAt: new Date(Number(text.slice(0, colon))), recordId: text.slice(colon + 1) };
}
