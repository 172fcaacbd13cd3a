import { createHmac, timingSafeEqual } from 'node:crypto';
import type { PyValue } from './python-json.ts';
import { pythonStr, type Printable } from './python-text.ts';
import { printableSince, unicodeVersions } from './unicode-versions.ts';

const newest = unicodeVersions.length - 1;

/**
 * What Monte Carlo signs: not the body, but Python's `urllib.parse.urlencode(json.loads(body))` of it.
 * @param age the version of Unicode that Python knows, as an index of {@link unicodeVersions}
 * @throws URIError when a key or a text on the top level holds half of a surrogate pair; Python cannot encode it either
 */
export function signedText(body: ReadonlyMap<string, PyValue>, age = newest): string {
  return textOf(body, (codePoint) => (printableSince(codePoint) ?? Number.POSITIVE_INFINITY) <= age);
}

/** The text as each Python that may have made it has it; the newest first. Nearly always they are one. */
export function signedTexts(body: ReadonlyMap<string, PyValue>): [string, ...string[]] {
  const ages = new Set<number>();
  const text = textOf(body, (codePoint) => {
    const age = printableSince(codePoint);
    if (age !== undefined && age > 0) ages.add(age);
    return age !== undefined;
  });
  return [text, ...[...ages].map((age) => signedText(body, age - 1))];
}

/** Whether the signature was made with one of the secrets for one of the texts. Takes as long whether or not it was. */
export function isSigned(texts: readonly string[], secrets: readonly string[], signature: string): boolean {
  const given = Buffer.from(/^[0-9a-f]{128}$/.test(signature) ? signature : '', 'hex');
  let good = false;
  for (const secret of secrets) {
    for (const text of texts) {
      const made = createHmac('sha512', secret).update(text).digest();
      const same = timingSafeEqual(made, given.length === made.length ? given : Buffer.alloc(made.length));
      good = (same && given.length === made.length) || good;
    }
  }
  return good;
}

function textOf(body: ReadonlyMap<string, PyValue>, printable: Printable): string {
  return [...body].map(([key, value]) => `${quotePlus(key)}=${quotePlus(pythonStr(value, printable))}`).join('&');
}

const kept = /[!'()*]/g;

/** Python's `quote_plus`: only letters, digits and `_.-~` stay. */
function quotePlus(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(kept, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
