import { createHash, randomBytes } from 'node:crypto';
import { stringify } from 'safe-stable-stringify';
import { identityKey } from '#domain/assets/identity.ts';

/** SHA-256 as 64 hexadecimal digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * The id of an entity: the first 128 bits of SHA-256 over its identity, in the form of a UUID of version 8
 * (RFC 9562, section 5.8: custom).
 */
export function metadataId(tenantId: string, entityType: string, qualifiedName: string): string {
  const bytes = createHash('sha256')
    .update(identityKey(tenantId, entityType, qualifiedName))
    .digest()
    .subarray(0, 16);
  return uuidOf(bytes, 0x80);
}

/** Digest of a JSON value, independent of the order of keys. 128 bits in hexadecimal: it tells versions apart, not friend from foe. */
export function contentHash(value: unknown): string {
  return createHash('sha256')
    .update(stringify(value) ?? '')
    .digest('hex')
    .slice(0, 32);
}

/** A new record id: a UUID of version 7, so that ids made later sort later. */
export function newRecordId(): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  return uuidOf(bytes, 0x70);
}

/** A record id that follows from its parts, as a UUID of version 8: who sends the same thing again sends the same record. */
export function recordIdFrom(...parts: readonly (string | number)[]): string {
  return uuidOf(createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16), 0x80);
}

function uuidOf(bytes: Buffer, version: number): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | version;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
