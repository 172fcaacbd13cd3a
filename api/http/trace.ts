import { randomUUID } from 'node:crypto';
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
  const given = headers['traceparent'];
  const match = typeof given === 'string' ? traceparentPattern.exec(given) : null;
  const [, givenTrace = '', givenSpan = '', givenFlags = ''] = match ?? [];
  const usable = match !== null && !nothing.test(givenTrace) && !nothing.test(givenSpan);
  const traceId = usable ? givenTrace : randomHex();
  return { traceId, traceparent: `00-${traceId}-${randomHex().slice(0, 16)}-${usable ? givenFlags : '01'}` };
}

/** 32 hexadecimal digits. Node keeps random bytes for UUIDs at hand, which makes this far cheaper than asking for bytes. */
function randomHex(): string {
  return randomUUID().replaceAll('-', '');
}
