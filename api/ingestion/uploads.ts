import type { Readable } from 'node:stream';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import type { ObjectStore, StoredObject } from '#platform/objects/object-store.ts';
import { sendAnswer, sendJson, type Answer } from '../http/answer.ts';
import { idempotently, type RecordIds } from '../http/idempotent.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { isMultipart, lastStep, readMultipart, type FilePart, type MultipartBody } from '../http/multipart.ts';
import { noQuery, parseQuery } from '../http/query.ts';

export interface UploadDeps {
  idempotency: IdempotencyKeys;
  objects: Pick<ObjectStore, 'put' | 'stat' | 'remove'>;
}

export const uploadQuery = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(limits.uploadNameLength)
    .optional()
    .meta({ description: 'What the content is called; a multipart body says it itself' }),
});

export const uploadViewSchema = z
  .object({
    object_id: z.string().regex(/^[0-9a-f]{24}$/),
    name: z.string(),
    content_type: z.string(),
    bytes: z.int().min(0),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    stored_at: z.iso.datetime(),
  })
  .meta({ id: 'Upload' });

export function uploadView(object: StoredObject): z.infer<typeof uploadViewSchema> {
  return {
    object_id: object.objectId,
    name: object.name,
    content_type: object.contentType,
    bytes: object.bytes,
    sha256: object.sha256,
    stored_at: object.storedAt.toISOString(),
  };
}

/** Contents that later requests refer to. */
export function uploadHandlers(deps: UploadDeps) {
  const isKept = (): Promise<boolean> => Promise.resolve(true);

  const store: RequestHandler = async (request, response) => {
    const principal = principalOf(response);
    const { name } = parseQuery(request, uploadQuery);
    const object = isMultipart(request)
      ? (await readUpload(deps, request, principal, [])).file
      : await storeContent(deps, principal, bodyOf(request), {
          field: '',
          name: lastStep(name),
          contentType: request.get('Content-Type') ?? 'application/octet-stream',
        });
    const made = async (): Promise<Answer> => ({
      status: 201,
      headers: { Location: `/v1/uploads/${object.objectId}` },
      body: uploadView(object),
    });
    const answer = await storedOnce(deps, request, principal, { object, about: null }, made, isKept);
    sendAnswer(response, answer);
  };

  const get: RequestHandler = async (request, response) => {
    noQuery(request);
    const object = await deps.objects.stat(principalOf(response).tenantId, pathParameter(request, 'id'));
    if (object === undefined) throw noSuchUpload();
    sendJson(response, 200, uploadView(object));
  };

  const remove: RequestHandler = async (request, response) => {
    noQuery(request);
    const found = await deps.objects.remove(principalOf(response).tenantId, pathParameter(request, 'id'));
    if (!found) throw noSuchUpload();
    response.status(204).end();
  };

  return { store, get, remove };
}

/**
 * Reads a multipart body whose file is stored as it comes.
 * @throws InvalidInput when there is no file, or a part that is not known
 */
export async function readUpload(
  deps: UploadDeps,
  request: Request,
  principal: Principal,
  fields: readonly string[],
): Promise<MultipartBody<StoredObject> & { file: StoredObject }> {
  requireFitting(request);
  const remove = (file: StoredObject): Promise<unknown> => deps.objects.remove(principal.tenantId, file.objectId);
  const plan = {
    fields,
    maxFieldBytes: limits.uploadFieldBytes,
    onFile: (content: Readable, part: FilePart) => storeContent(deps, principal, content, part),
  };
  const { fields: given, file } = await readMultipart(request, plan, remove);
  if (file === undefined) {
    throw new LilyError('invalid-input', 'The body has no file: send it as a part with a filename', { field: 'file' });
  }
  return { fields: given, file };
}

/**
 * Runs a write that has stored a content, once for its `Idempotency-Key`: the content's digest stands for it in the
 * comparison of requests. A content that came for nothing, because the write failed or was done before, is taken away.
 * @param isHeld whether something refers to the content after `run`, be it that it failed: a start that cannot reach Temporal
 * leaves a run that a repetition takes up, with the content that came first
 */
export async function storedOnce(
  deps: UploadDeps,
  request: Request,
  principal: Principal,
  { object, about }: { object: StoredObject; about: unknown },
  run: (recordIds: RecordIds) => Promise<Answer>,
  isHeld: (recordIds: RecordIds) => Promise<boolean>,
): Promise<Answer> {
  let ran: RecordIds | undefined;
  try {
    request.body = { sha256: object.sha256, name: object.name, about };
    return await idempotently(deps.idempotency, request, principal, async (recordIds) => {
      ran = remembered(recordIds);
      return run(ran);
    });
  } finally {
    // Where nobody can tell, it is kept.
    const held = ran !== undefined && (await isHeld(ran).catch(() => true));
    if (!held) await deps.objects.remove(principal.tenantId, object.objectId).catch(() => undefined);
  }
}

/** Without an `Idempotency-Key` each call makes a new id: what the write was given is what is asked about afterwards. */
function remembered(recordIds: RecordIds): RecordIds {
  const given = new Map<number, string>();
  return (index) => {
    const id = given.get(index) ?? recordIds(index);
    given.set(index, id);
    return id;
  };
}

function storeContent(
  { objects }: UploadDeps,
  { tenantId }: Principal,
  content: Readable,
  { name, contentType }: FilePart,
): Promise<StoredObject> {
  const about = { name: name.slice(0, limits.uploadNameLength), contentType: contentType.slice(0, 255) };
  return objects.put(tenantId, content, { ...about, maxBytes: limits.uploadBytes });
}

/** The request's body as it is. */
function bodyOf(request: Request): Request {
  const encoding = request.get('Content-Encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new LilyError(
      'unsupported-media-type',
      `Send the content as it is, without Content-Encoding: ${encoding}; a file that is compressed itself may be sent`,
    );
  }
  requireFitting(request);
  return request;
}

/** Refuses at once what says that it is too large. */
function requireFitting(request: Request): void {
  if (Number(request.headers['content-length'] ?? 0) <= limits.uploadBytes) return;
  throw new LilyError('body-too-large', `The content may have at most ${limits.uploadBytes} bytes`);
}

function noSuchUpload(): LilyError {
  return new LilyError('not-found', 'There is no such upload.');
}
