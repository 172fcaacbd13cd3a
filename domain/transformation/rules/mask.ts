import type { Json } from '../../assets/entity.ts';
import type { MaskRule } from './schema.ts';

/** A digest of a text under a key of the tenant's own: the same text, the same digest; nobody else can make it. */
export type KeyedHash = (text: string) => string;

export const redacted = '[redacted]';
const hidden = '****';
const hashPrefix = 'hmac-sha256:';
const hashForm = /^hmac-sha256:[0-9a-f]{32}$/;

/**
 * How a rule masks a text. What is masked already stays as it is, so a rule that sees a record twice (somebody reads an
 * entity and writes it back) leaves it alone.
 */
export function textMask(
  { method, keep_start = 1, keep_end = 1 }: MaskRule,
  hash: KeyedHash,
): (text: string) => string {
  switch (method) {
    case 'redact':
      return () => redacted;
    case 'hash':
      return (text) => (hashForm.test(text) ? text : `${hashPrefix}${hash(text)}`);
    case 'last4':
      return (text) => partly(text, 0, 4);
    case 'partial':
      return (text) => partly(text, keep_start, keep_end);
  }
}

/** Hides at least four characters, and never says how many. */
function partly(text: string, start: number, end: number): string {
  if (text === redacted) return text;
  const chars = Array.from(text);
  if (chars.length < start + end + hidden.length) return hidden;
  return chars.slice(0, start).join('') + hidden + (end === 0 ? '' : chars.slice(-end).join(''));
}

/** Masks a whole value: a list item by item, an object as one. Nothing stays nothing. */
export function valueMask(rule: MaskRule, hash: KeyedHash): (value: Json) => Json {
  const mask = textMask(rule, hash);
  const masked = (value: Json): Json => {
    if (value === null) return null;
    if (Array.isArray(value)) return value.map(masked);
    if (typeof value === 'string') return mask(value);
    if (typeof value === 'object') return rule.method === 'hash' ? mask(JSON.stringify(value)) : redacted;
    return mask(String(value));
  };
  return masked;
}
