import { createLocalJWKSet, createRemoteJWKSet, errors, type JWSHeaderParameters, type CryptoKey } from 'jose';
import { allowInsecureRequests, discovery } from 'openid-client';
import { LilyError } from '#domain/errors.ts';

/** Finds the key that a token says it is signed with. */
export type KeyFinder = (header: JWSHeaderParameters) => Promise<CryptoKey>;

export interface ProviderKeysOptions {
  /** Longest wait for the provider. */
  timeoutMs?: number;
  /** After the keys were read, a token with an unknown key makes them be read again only this much later. */
  cooldownMs?: number;
  /** Keys older than this are read again before they are used. */
  freshMs?: number;
  /** While the provider is down, known keys still count until they are this old. */
  staleMs?: number;
}

const defaults = { timeoutMs: 4_000, cooldownMs: 15_000, freshMs: 600_000, staleMs: 3_600_000 };

/**
 * The signing keys of an OpenID provider, found through its discovery document, and read again when they rotate.
 * Nothing that a token says of itself (`jku`, `x5u`, `jwk`, `x5c`) is followed.
 *
 * Rejects with `unavailable` when the provider cannot be asked, and with a `jose` error when it has no such key.
 */
export function providerKeys(issuer: string, options: ProviderKeysOptions = {}): KeyFinder {
  const settings = { ...defaults, ...options };
  let remote: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
  let readAt = 0;
  let failedAt = 0;

  const discovered = async () => {
    try {
      return await (remote ??= discover(issuer, settings));
    } catch (error) {
      remote = undefined;
      throw error;
    }
  };

  return async (header) => {
    const keys = await discovered().catch((cause: unknown) => {
      throw unreachable(issuer, cause);
    });
    const known = keys.jwks();
    const usable = known !== undefined && Date.now() - readAt < settings.staleMs;
    if (usable && Date.now() - failedAt < settings.cooldownMs) return createLocalJWKSet(known)(header);
    const wasFresh = keys.fresh;
    try {
      const key = await keys(header);
      if (!wasFresh) readAt = Date.now();
      return key;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      failedAt = Date.now();
      if (usable) return createLocalJWKSet(known)(header);
      throw unreachable(issuer, error);
    }
  };
}

async function discover(issuer: string, { timeoutMs, cooldownMs, freshMs }: typeof defaults) {
  const url = new URL(issuer);
  const execute = url.protocol === 'http:' ? [allowInsecureRequests] : [];
  const provider = await discovery(url, 'lily', undefined, undefined, { execute, timeout: timeoutMs / 1_000 });
  const keysAddress = provider.serverMetadata().jwks_uri;
  if (keysAddress === undefined) throw new Error(`${issuer} names no jwks_uri in its discovery document`);
  return createRemoteJWKSet(new URL(keysAddress), {
    timeoutDuration: timeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: freshMs,
  });
}

function unreachable(issuer: string, cause: unknown): LilyError {
  return new LilyError('unavailable', `The identity provider ${issuer} is not reachable right now; try again shortly`, {
    cause,
  });
}
