import type { Request, RequestHandler } from 'express';
import type { Principal } from '#domain/access/principal.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { parseJsonText } from '../http/json-text.ts';
import { isMultipart } from '../http/multipart.ts';
import { readUpload, type UploadDeps } from './uploads.ts';

type Fields = Record<string, unknown>;

/** Reads a JSON body, unless the request brings a file: that is read by {@link readFileStart}. */
export function unlessMultipart(handlers: RequestHandler[]): RequestHandler[] {
  return handlers.map((handler): RequestHandler => (request, response, next) => {
    if (isMultipart(request)) return next();
    return handler(request, response, next);
  });
}

/**
 * Reads a multipart body that starts a run: the file, `source` (how it is read, as JSON) and, if wanted, `options` (what else
 * a JSON body may say), in any order. The file is stored; answers it with the body that a JSON request would have had.
 */
export async function readFileStart(deps: UploadDeps, request: Request, principal: Principal) {
  const { fields, file } = await readUpload(deps, request, principal, ['source', 'options']);
  try {
    const source = jsonField(fields, 'source');
    const options = jsonField(fields, 'options');
    const place = Object.keys(source).find((key) => key === 'object' || key === 'url');
    if (place !== undefined) {
      throw new InvalidInput(`/source/${place} in the body names a file, and the body brings one`, [
        { field: `/source/${place}`, detail: 'names a file, and the body brings one' },
      ]);
    }
    if ('source' in options) {
      throw new InvalidInput('/options/source in the body is not a known field', [
        { field: '/options/source', detail: 'is not a known field' },
      ]);
    }
    // What stands for the file in the comparison of requests is its content, not where it was stored this time.
    const about = { source, options };
    return { object: file, about, body: { ...options, source: { type: 'file', ...source, object: file.objectId } } };
  } catch (error) {
    await deps.objects.remove(principal.tenantId, file.objectId).catch(() => undefined);
    throw error;
  }
}

function jsonField(fields: Record<string, string>, name: string): Fields {
  const text = fields[name];
  if (text === undefined) return {};
  const value = parseJsonText(new TextEncoder().encode(text));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new InvalidInput(`The part ${name} must be a JSON object`, [
    { field: `/${name}`, detail: 'must be an object' },
  ]);
}
