import { hash } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { roles, type Principal, type Role } from '#domain/access/principal.ts';
import { tenantIdSchema } from '#domain/assets/record.ts';
import { LilyError } from '#domain/errors.ts';
import { providerKeys, type ProviderKeysOptions } from './provider-keys.ts';

/** What a good token says. */
export interface VerifiedToken {
  principal: Principal;
  /** When it ends, in milliseconds since 1970. */
  expiresAt: number;
}

/**
 * Checks a bearer token.
 * Rejects with `unauthenticated` and a detail that says what to mend, or with `unavailable` when the provider is needed and down.
 */
export type TokenVerifier = (token: string) => Promise<VerifiedToken>;

export interface TokenVerifierOptions extends ProviderKeysOptions {
  issuer: string;
  audience: string;
  /** Verified tokens that are remembered. */
  cacheSize?: number;
}

/** Asymmetric only: a symmetric algorithm would let a public key pass for a secret. */
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const clockToleranceSeconds = 5;
const longestToken = 12_000;

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const keys = providerKeys(options.issuer, options);
  const cache = new LRUCache<string, VerifiedToken>({ max: options.cacheSize ?? 10_000 });

  return async (token) => {
    if (token.length > longestToken) throw refused(`The token is longer than ${longestToken} characters`);
    const digest = hash('sha256', token, 'base64url');
    const known = cache.get(digest);
    if (known !== undefined) {
      if (Date.now() < known.expiresAt) return known;
      cache.delete(digest);
    }
    const verified = verifiedToken(await verify(token, keys, options));
    if (Date.now() < verified.expiresAt) cache.set(digest, verified);
    return verified;
  };
}

async function verify(
  token: string,
  keys: ReturnType<typeof providerKeys>,
  { issuer, audience }: TokenVerifierOptions,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp', 'sub', 'tenant', 'roles'],
    });
    return payload;
  } catch (error) {
    throw refusal(error, issuer, audience);
  }
}

function verifiedToken(payload: JWTPayload): VerifiedToken {
  const tenant = tenantIdSchema.safeParse(payload['tenant']);
  if (!tenant.success) throw refused("The token's `tenant` claim is not a tenant id");
  const claimed = payload['roles'];
  if (!Array.isArray(claimed)) throw refused("The token's `roles` claim is not a list");
  if (typeof payload.sub !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(payload.sub)) {
    throw refused("The token's `sub` claim must have 1 to 255 printable ASCII characters");
  }
  return {
    principal: {
      tenantId: tenant.data,
      userId: payload.sub,
      roles: claimed.filter((role): role is Role => (roles as readonly unknown[]).includes(role)),
    },
    expiresAt: (payload.exp ?? 0) * 1_000,
  };
}

function refusal(error: unknown, issuer: string, audience: string): unknown {
  if (error instanceof LilyError) return error;
  if (error instanceof errors.JWTExpired)
    return refused('The token has expired; ask the identity provider for a new one', error);
  if (error instanceof errors.JWTClaimValidationFailed) return refused(claimWords(error, issuer, audience), error);
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return refused(`The token must be signed with ${algorithms.join(', ')}`, error);
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return refused('The token is signed with a key that the identity provider does not have', error);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return refused("The token's signature is wrong", error);
  // Whatever else jose or the decoder says of a token, the token is at fault.
  return refused('The bearer token is not a signed JSON Web Token', error);
}

function claimWords({ claim, reason }: errors.JWTClaimValidationFailed, issuer: string, audience: string): string {
  if (claim === 'iss') return `The token must be issued by ${issuer}`;
  if (claim === 'aud') return `The token must be meant for the audience ${audience}`;
  if (claim === 'nbf') return 'The token is not valid yet';
  return `The token's \`${claim}\` claim is ${reason === 'missing' ? 'missing' : 'not right'}`;
}

function refused(detail: string, cause?: unknown): LilyError {
  return new LilyError('unauthenticated', detail, { cause });
}
