import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Ties everything that one request causes together, over processes (W3C Trace Context). */
export interface Trace {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** What to answer and pass on as `traceparent`. */
  traceparent: string;
}

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const nothing = /^0+$/;

/** Continues the caller's trace; begins one when there is none, or when it cannot be read. */
export function traceOfRequest(headers: IncomingHttpHeaders): Trace {
  const random = randomBytes(24).toString('hex');
  const given = headers['traceparent'];
  const match = typeof given === 'string' ? traceparentPattern.exec(given) : null;
  const [, givenTrace = '', givenSpan = '', givenFlags = ''] = match ?? [];
  const usable = match !== null && !nothing.test(givenTrace) && !nothing.test(givenSpan);
  const traceId = usable ? givenTrace : random.slice(0, 32);
  return { traceId, traceparent: `00-${traceId}-${random.slice(32)}-${usable ? givenFlags : '01'}` };
}
