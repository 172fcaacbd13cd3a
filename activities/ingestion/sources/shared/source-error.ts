import { LilyError } from '#domain/errors.ts';
import type { ByteMeter } from '#platform/byte-meter.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';

const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'broke the connection off',
  EPIPE: 'broke the connection off',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  ETIMEDOUT: 'does not answer',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a certificate that nobody vouches for (self-signed)',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate that nobody vouches for (self-signed)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'has a certificate that nobody vouches for',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'has a certificate that nobody vouches for',
  CERT_HAS_EXPIRED: 'has a certificate that has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'has a certificate for another name',
};

/** Where the options say how to reach the source, and what must never be repeated. */
export interface Place {
  /** `host:port`, for people. */
  place: string;
  secrets: readonly string[];
  /** JSON pointer to the option at fault; `/source/url` without it. */
  field?: string;
}

/** A failure that only somebody can mend: other credentials, another permission, another option. */
export function permanent(at: Place, says: string, cause?: unknown): PermanentSourceError {
  return new PermanentSourceError('source-unreachable', sentence(at, says), { field: fieldOf(at), cause });
}

/** A failure that may be over when tried again. */
export function passing(at: Place, says: string, cause?: unknown): LilyError {
  return new LilyError('source-unreachable', sentence(at, says), { field: fieldOf(at), cause });
}

/** What a network, TLS or driver error says, in one sentence without credentials. */
export function unreachable(error: unknown, at: Place, meter?: ByteMeter): LilyError {
  if (error instanceof LilyError) return error;
  if (meter?.exceeded !== undefined) return permanent(at, `${meter.exceeded}; read less at once`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  return passing(at, network[code] ?? `cannot be read: ${message}`);
}

function fieldOf({ field = '/source/url' }: Place): string {
  return field;
}

function sentence({ place, secrets }: Place, says: string): string {
  const plain = secrets
    .filter((secret) => secret !== '')
    .reduce((text, secret) => text.replaceAll(secret, '***'), says);
  return `${place} ${plain.slice(0, 1_000)}.`;
}
