import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Why a signature is not taken; `undefined` when it is. */
export type SignatureFault = 'missing' | 'malformed' | 'too-old' | 'too-new' | 'no-match';

export interface SignedMessage {
  /** `webhook-id` */
  id: string | undefined;
  /** `webhook-timestamp`: seconds since 1970 */
  timestamp: string | undefined;
  /** `webhook-signature`: one or more of `v1,<base64>`, separated by spaces */
  signature: string | undefined;
  body: Uint8Array;
}

/** How far the sender's clock may be from ours. */
const toleranceSeconds = 5 * 60;
const secretPrefix = 'whsec_';

/**
 * Checks a signature by Standard Webhooks (standardwebhooks.com, version 1, symmetric): HMAC-SHA256 over
 * `id.timestamp.body`, compared in constant time with each signature that came, under each secret that holds.
 * The bytes of the body are signed as they came.
 */
export function signatureFault(
  secrets: readonly string[],
  { id, timestamp, signature, body }: SignedMessage,
  now: Date,
): SignatureFault | undefined {
  if (!id || !timestamp || !signature) return 'missing';
  if (!/^[\x21-\x7e]{1,256}$/.test(id) || !/^\d{1,12}$/.test(timestamp)) return 'malformed';
  const age = Math.floor(now.getTime() / 1_000) - Number(timestamp);
  if (age > toleranceSeconds) return 'too-old';
  if (age < -toleranceSeconds) return 'too-new';
  const given = signature
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3)));
  let matches = false;
  for (const secret of secrets) {
    const expected = Buffer.from(signed(secret, id, timestamp, body));
    for (const one of given) {
      if (one.length === expected.length && timingSafeEqual(one, expected)) matches = true;
    }
  }
  return matches ? undefined : 'no-match';
}

function signed(secret: string, id: string, timestamp: string, body: Uint8Array): string {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}

/** A fresh secret in the form that Standard Webhooks gives them: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return secretPrefix + randomBytes(32).toString('base64');
}
