import express, { type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';

/** Reads a request's body into `request.body` as the bytes that came, a `Buffer`, whatever their type. */
export function rawBody(maxBytes: number): RequestHandler {
  const read = express.raw({ type: () => true, limit: maxBytes });
  return (request, response, next) => {
    read(request, response, (error?: unknown) => {
      const type = (error as { type?: unknown } | undefined)?.type;
      if (type === 'entity.too.large') {
        next(new LilyError('body-too-large', `The body may have at most ${maxBytes} bytes`));
        return;
      }
      if (error === undefined && !Buffer.isBuffer(request.body)) request.body = Buffer.alloc(0);
      next(error);
    });
  };
}
