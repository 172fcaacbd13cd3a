import { LilyError } from '#domain/errors.ts';

/** The token in an `Authorization` header. @throws LilyError `unauthenticated` when there is none. */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === '') {
    throw new LilyError('unauthenticated', 'Send the header Authorization: Bearer <token>');
  }
  const token = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(header)?.[1];
  if (token === undefined) {
    throw new LilyError('unauthenticated', 'The Authorization header must have the form Bearer <token>');
  }
  return token;
}
