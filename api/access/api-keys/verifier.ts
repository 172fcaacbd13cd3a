import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { LilyError } from '#domain/errors.ts';
import { sha256Hex } from '#platform/digest.ts';
import type { ApiKeyDoc, ApiKeys } from '#platform/mongo/api-keys.ts';
import type { TokenVerifier, VerifiedToken } from '#platform/oidc/token-verifier.ts';

const prefix = 'lily_';

/** How long a key is taken for valid without asking again: a revoked key works no longer than this. */
const trustMs = 3_000;
/** How exactly the last use is known: no key costs more than one write in this time. */
const noteUseMs = 60_000;
/** A key without an end of its own, in milliseconds since 1970: the largest moment that a `Date` holds. */
const never = 8.64e15;

/** A new key: 256 random bits, after a prefix by which people and scanners of secrets recognise it. */
export function newApiKey(): string {
  return prefix + randomBytes(32).toString('base64url');
}

/** Who signs in with a key, as it stands in histories. */
export function apiKeyUser(keyId: string): string {
  return `api-key:${keyId}`;
}

/**
 * Lets clients sign in with an API key wherever a token of the OpenID provider is good.
 * @param keys undefined while the store is not there yet: keys get `unavailable` until then, tokens are not concerned
 */
export function withApiKeys(
  verifyToken: TokenVerifier,
  keys: () => Pick<ApiKeys, 'findValid' | 'noteUse'> | undefined,
): TokenVerifier {
  const trusted = new LRUCache<string, { verified: VerifiedToken; until: number }>({ max: 10_000 });
  const noted = new LRUCache<string, number>({ max: 10_000 });

  const verifyKey: TokenVerifier = async (key) => {
    const digest = sha256Hex(key);
    const known = trusted.get(digest);
    if (known !== undefined && Date.now() < known.until) return known.verified;
    const store = keys();
    if (store === undefined) throw new LilyError('unavailable', 'API keys cannot be checked yet; try again shortly');
    const found = await store.findValid(digest);
    if (found === undefined) throw new LilyError('unauthenticated', 'The API key is unknown, revoked or expired');
    const verified = verifiedKey(found);
    const now = Date.now();
    trusted.set(digest, { verified, until: Math.min(now + trustMs, verified.expiresAt) });
    if (now - (noted.get(found._id) ?? 0) > noteUseMs) {
      noted.set(found._id, now);
      // A note for people: it may be lost, and nobody waits for it.
      store.noteUse(found.tenant_id, found._id, new Date()).catch(() => noted.delete(found._id));
    }
    return verified;
  };

  return (token) => (token.startsWith(prefix) ? verifyKey(token) : verifyToken(token));
}

function verifiedKey(key: ApiKeyDoc): VerifiedToken {
  return {
    principal: { tenantId: key.tenant_id, userId: apiKeyUser(key._id), roles: key.roles },
    expiresAt: key.expires_at?.getTime() ?? never,
  };
}
