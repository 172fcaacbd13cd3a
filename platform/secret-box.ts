import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Keeps secrets at rest. */
export interface SecretBox {
  /**
   * Encrypts and authenticates a text (AES-256-GCM, a fresh nonce each time).
   * @param context what the text belongs to; it opens only with the same, so a sealed text is of no use elsewhere
   */
  seal(text: string, context?: string): string;
  /** @throws Error when the text was sealed with another key or for another context, or was tampered with */
  open(sealed: string, context?: string): string;
}

const algorithm = 'aes-256-gcm';
const version = 'v1';
const nonceBytes = 12;
const tagBytes = 16;

/** @param key 32 bytes */
export function secretBox(key: Uint8Array): SecretBox {
  if (key.length !== 32) throw new Error('a secret box needs a key of 32 bytes');
  return {
    seal(text, context = '') {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${version}.${Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url')}`;
    },

    open(sealed, context = '') {
      const [found, encoded] = sealed.split('.');
      const bytes = Buffer.from(encoded ?? '', 'base64url');
      if (found !== version || bytes.length < nonceBytes + tagBytes) throw new Error('this is no sealed text');
      const nonce = bytes.subarray(0, nonceBytes);
      const tag = bytes.subarray(bytes.length - tagBytes);
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(context)).setAuthTag(tag);
      const body = decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes));
      return Buffer.concat([body, decipher.final()]).toString('utf8');
    },
  };
}
