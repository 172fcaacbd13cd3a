import { errorCatalogue, LilyError, type ErrorCode } from '#domain/errors.ts';
import { InvalidInput, type FieldFault } from './invalid-input.ts';

/** An RFC 9457 problem document. `code` is stable; clients branch on it and not on the words. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  /** JSON pointer to (the first) fault in the body, or the name of the parameter at fault. */
  field?: string;
  errors?: readonly FieldFault[];
  /** Absent in the problems of an array's items: the whole answer has one. */
  trace_id?: string;
  instance?: string;
}

/** The media type of problem documents. */
export const problemType = 'application/problem+json; charset=utf-8';

/** Seconds that a client is asked to wait before it tries again. */
const retryAfterSeconds: Partial<Record<ErrorCode, number>> = { unavailable: 2, 'rate-limited': 5 };

/** The problem document of an error. What is not a {@link LilyError} is our fault, and says nothing of its inside. */
export function problemOf(error: unknown, about: { traceId?: string; instance?: string } = {}): Problem {
  const known = error instanceof LilyError ? error : undefined;
  const code = known?.code ?? 'internal';
  const { status, title } = errorCatalogue[code];
  const hidden = `${title}. Tell the operators the trace id.`;
  return {
    type: `urn:lily:problem:${code}`,
    title,
    status,
    detail: known === undefined || code === 'internal' ? hidden : known.message,
    code,
    ...(known?.field === undefined ? {} : { field: known.field }),
    ...(known instanceof InvalidInput && known.errors.length > 0 ? { errors: known.errors } : {}),
    ...(about.traceId === undefined ? {} : { trace_id: about.traceId }),
    ...(about.instance === undefined ? {} : { instance: about.instance }),
  };
}

/** Headers that belong to a problem beside its media type. */
export function problemHeaders(problem: Problem): Record<string, string> {
  const seconds = retryAfterSeconds[problem.code];
  return {
    ...(problem.status === 401 ? { 'WWW-Authenticate': challenge(problem) } : {}),
    ...(seconds === undefined ? {} : { 'Retry-After': String(seconds) }),
  };
}

/** RFC 6750, section 3. A quote or backslash cannot stand in the description. */
function challenge(problem: Problem): string {
  const description = problem.detail.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'");
  return `Bearer realm="lily", error="invalid_token", error_description="${description}"`;
}
