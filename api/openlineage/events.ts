import type { RequestHandler, Response } from 'express';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Intake, Submission } from '../assets/intake.ts';
import { sendJson } from '../http/answer.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { bytesOf, jsonBytes } from '../http/json-body.ts';
import { readJsonText } from '../http/json-text.ts';
import { principalOf, traceOf } from '../http/locals.ts';
import { problemOf, problemType } from '../http/problem.ts';
import { eventTexts } from './event-texts.ts';
import { eventSubmission } from './submission.ts';

const door = { door: 'openlineage', format: 'openlineage' } as const;

/** One event of a batch that was not taken. */
interface FailedEvent {
  index: number;
  reason: string;
  /** Whether sending it again as it is may help. */
  retriable: boolean;
}

/** The handlers of `POST /api/v1/lineage` and `/api/v1/lineage/batch`. */
export function eventHandlers(intake: Intake) {
  const one: RequestHandler = async (request, response) => {
    const principal = principalOf(response);
    const { text, value } = readJsonText(bytesOf(request));
    await intake.submit(principal, [eventSubmission(principal, text, value)], door);
    response.statusCode = 201;
    response.setHeader('Content-Length', 0);
    response.end();
  };

  const batch: RequestHandler = async (request, response) => {
    const principal = principalOf(response);
    const { text, value } = readJsonText(bytesOf(request));
    const events = eventsOf(value);
    const { submissions, failed } = prepareAll(principal, events, eventTexts(text));
    if (submissions.length > 0) await intake.submit(principal, submissions, door);
    answerBatch(response, events.length, failed);
  };

  return { one: [...jsonBytes(limits.lineageEventBytes), one], batch: [...jsonBytes(limits.requestBytes), batch] };
}

/** @throws InvalidInput when the body is neither an array of events nor an object that holds one. */
function eventsOf(body: unknown): unknown[] {
  const wrapped = typeof body === 'object' && body !== null && 'events' in body ? body.events : body;
  if (!Array.isArray(wrapped)) throw new InvalidInput('The body must be an array of events, or {"events": […]}');
  if (wrapped.length === 0 || wrapped.length > limits.lineageEventsPerRequest) {
    throw new InvalidInput(
      `The body must have 1 to ${limits.lineageEventsPerRequest} events; it has ${wrapped.length}`,
    );
  }
  return wrapped;
}

/** Prepares each event by itself: one that is wrong does not stop the others. */
function prepareAll(principal: Principal, events: readonly unknown[], texts: readonly string[]) {
  const submissions: Submission[] = [];
  const failed: FailedEvent[] = [];
  events.forEach((event, index) => {
    try {
      submissions.push(eventSubmission(principal, texts[index] ?? JSON.stringify(event), event));
    } catch (error) {
      if (!(error instanceof LilyError)) throw error;
      failed.push({ index, reason: error.message, retriable: false });
    }
  });
  return { submissions, failed };
}

function answerBatch(response: Response, received: number, failed: FailedEvent[]): void {
  const successful = received - failed.length;
  const summary = { received, successful, failed: failed.length, retriable: 0, non_retriable: failed.length };
  if (successful > 0) {
    const status = failed.length === 0 ? 'success' : 'partial_success';
    sendJson(response, 200, { status, summary, failed_events: failed });
    return;
  }
  const detail = `None of the ${received} events was taken; failed_events says why`;
  const problem = problemOf(new InvalidInput(detail), {
    traceId: traceOf(response).traceId,
    instance: response.req.path,
  });
  const body = JSON.stringify({ ...problem, summary, failed_events: failed });
  response.status(problem.status).set('Content-Type', problemType).end(body);
}
