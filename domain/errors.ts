/**
 * The closed list of things that can go wrong in Lily. Every error that leaves a component carries one of these codes;
 * the REST API maps a code to its HTTP status, a workflow maps it to "retry" or "give up".
 */
export const errorCatalogue = {
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'invalid-input': { status: 400, title: 'The request does not have the documented form' },
  unauthenticated: { status: 401, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, title: 'Your roles do not allow this' },
  'bad-signature': { status: 403, title: 'The signature is missing or wrong' },
  'tenant-mismatch': { status: 403, title: 'The body names another tenant than the token' },
  'not-found': { status: 404, title: 'There is no such thing, or it is not yours' },
  'method-not-allowed': { status: 405, title: 'This address does not take that method' },
  conflict: { status: 409, title: 'The request does not fit the present state' },
  'version-mismatch': { status: 412, title: 'The entity has changed since you read it' },
  'body-too-large': { status: 413, title: 'The body is larger than allowed' },
  'unsupported-media-type': { status: 415, title: 'The body has a type that is not understood here' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'source-unreachable': { status: 422, title: 'The source cannot be read' },
  'source-refused': { status: 422, title: 'The source is at an address that is not allowed' },
  'source-invalid': { status: 422, title: 'The content of the source cannot be understood' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'A part of Lily is not reachable right now' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/** An error with a code of the catalogue. `detail` says what to mend; `field` is a JSON pointer to the fault, where there is one. */
export class LilyError extends Error {
  override readonly name = 'LilyError';
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, detail: string, options: { field?: string | undefined; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}
