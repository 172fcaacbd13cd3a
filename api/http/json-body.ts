import type { Request, RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { parseJsonText } from './json-text.ts';
import { rawBody } from './raw-body.ts';

/** Reads a request's JSON body into `request.body`, strictly; see {@link parseJsonText}. */
export function jsonBody(maxBytes: number = limits.requestBytes): RequestHandler[] {
  const parse: RequestHandler = (request, _response, next) => {
    request.body = parseJsonText(bytesOf(request));
    next();
  };
  return [...jsonBytes(maxBytes), parse];
}

/** The bytes that {@link jsonBytes} has read. */
export function bytesOf(request: Request): Buffer {
  return request.body as Buffer;
}

/** Reads a body that is said to be JSON, as bytes; a packed one is unpacked. `maxBytes` holds for what is unpacked. */
export function jsonBytes(maxBytes: number): RequestHandler[] {
  return [
    (request, _response, next) => {
      requireJson(request);
      const declared = Number(request.headers['content-length'] ?? 0);
      if (declared > maxBytes) throw tooLarge(maxBytes);
      next();
    },
    rawBody(maxBytes),
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
