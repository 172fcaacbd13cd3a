import type { RequestHandler, Response } from 'express';
import { setTrace } from './locals.ts';
import { traceOfRequest } from './trace.ts';

/** Gives every request its trace, and says it in the answer. */
export const traced: RequestHandler = (request, response, next) => {
  const trace = traceOfRequest(request.headers);
  setTrace(response, trace);
  response.setHeader('traceparent', trace.traceparent);
  next();
};

/** Answers JSON as it is: no weak entity tag computed, no pretty printing. */
export function sendJson(response: Response, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(body));
}

/** What a handler answers. It can be kept, and sent again to a repeated request. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}

export function sendAnswer(response: Response, answer: Answer): void {
  response.statusCode = answer.status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
  response.end(JSON.stringify(answer.body));
}
