import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { errorCatalogue, LilyError, type ErrorCode } from '#domain/errors.ts';
import type { Logger } from '#platform/logger.ts';
import { principalIfAny, traceOf } from './locals.ts';
import { withOutageNamed } from './outage.ts';
import { problemHeaders, problemOf, problemType, type Problem } from './problem.ts';

/** Answers whatever was thrown as a problem document. The one place where an error becomes an HTTP status. */
export function errorHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const error = asLilyError(thrown);
    const traceId = traceOf(response).traceId;
    const problem = problemOf(error, { traceId, instance: pathOf(request) });
    if (problem.status >= 500) {
      const about = {
        traceId,
        tenant: principalIfAny(response)?.tenantId,
        method: request.method,
        route: pathOf(request),
      };
      // An outage is no mystery, and comes with every request: its reason is enough.
      if (problem.status === 500) logger.error({ ...about, err: thrown }, problem.title);
      else logger.warn({ ...about, reason: reasonOf(thrown) }, problem.title);
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendProblem(response, problem);
  };
}

export function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status).set(problemHeaders(problem)).set('Content-Type', problemType);
  response.end(JSON.stringify(problem));
}

/** Ends the chain of routers: nobody knew the address. */
export const unknownPath: RequestHandler = (request) => {
  throw new LilyError('not-found', `There is nothing at ${pathOf(request)}. /openapi.json lists every address.`);
};

/** The path without the query, which may hold a token. */
function pathOf(request: Request): string {
  return request.originalUrl.split('?', 1)[0] ?? '';
}

/** What Express and its body reader throw has a status and a text made for the caller. */
interface HttpError extends Error {
  status: number;
  expose?: boolean;
}

function isHttpError(error: unknown): error is HttpError {
  return error instanceof Error && 'status' in error && typeof error.status === 'number';
}

function asLilyError(thrown: unknown): unknown {
  const named = withOutageNamed(thrown);
  if (named instanceof LilyError || !isHttpError(named) || named.status >= 500) return named;
  return new LilyError(codeOfStatus(named.status), named.message, { cause: named });
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 413 || status === 415) return status === 413 ? 'body-too-large' : 'unsupported-media-type';
  const codes = Object.keys(errorCatalogue) as ErrorCode[];
  return codes.find((code) => code !== 'malformed-json' && errorCatalogue[code].status === status) ?? 'invalid-input';
}

function reasonOf(thrown: unknown): string {
  const { message, cause } = thrown instanceof Error ? thrown : new Error(String(thrown));
  return cause instanceof Error ? `${message} (${cause.name}: ${cause.message})` : message;
}
