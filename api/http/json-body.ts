import express, { type Request, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { parseJsonText } from './json-text.ts';

/** Reads a request's JSON body into `request.body`, strictly; see {@link parseJsonText}. */
export function jsonBody(maxBytes: number = limits.requestBytes): RequestHandler[] {
  const read = express.raw({ type: () => true, limit: maxBytes });
  return [
    (request, _response, next) => {
      requireJson(request);
      const declared = Number(request.headers['content-length'] ?? 0);
      if (declared > maxBytes) throw tooLarge(maxBytes);
      next();
    },
    (request, response, next) => {
      read(request, response, (error?: unknown) => {
        const type = (error as { type?: unknown } | undefined)?.type;
        next(type === 'entity.too.large' ? tooLarge(maxBytes) : error);
      });
    },
    (request, _response, next) => {
      const bytes: unknown = request.body;
      request.body = parseJsonText(bytes instanceof Uint8Array ? bytes : new Uint8Array());
      next();
    },
  ];
}

const jsonType = /^application\/json\s*(?:;|$)/i;
const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i;

function requireJson(request: Request): void {
  const type = request.headers['content-type'] ?? '';
  if (!jsonType.test(type)) {
    const sent = type === '' ? 'no Content-Type' : type;
    throw new LilyError('unsupported-media-type', `Send the body as application/json, not ${sent}`);
  }
  const encoding = charset.exec(type)?.[1];
  if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
    throw new LilyError('unsupported-media-type', `Send the body in UTF-8, not ${encoding}`);
  }
}

function tooLarge(maxBytes: number): LilyError {
  return new LilyError('body-too-large', `The body may have at most ${maxBytes} bytes`);
}
