import { LilyError } from '#domain/errors.ts';
import { InvalidInput, jsonPointer } from './invalid-input.ts';
import { describeJsonFault } from './json-fault.ts';

/** Deeper than any legal body: attributes may have 32 levels, inside a record, inside an array. */
export const maxJsonDepth = 48;

/**
 * Reads a JSON body without losing anything: what JavaScript cannot keep exactly is refused, never changed silently.
 *
 * @throws LilyError `malformed-json`, with the position, when it is not JSON in UTF-8.
 * @throws InvalidInput when it is JSON that could not be kept as it is: too deep, a key `__proto__`, a number or a
 * string without an exact form.
 */
export function parseJsonText(bytes: Uint8Array): unknown {
  const { text, value } = readJsonText(bytes);
  if (mayHoldOddities(text)) {
    checkOddities(value);
    checkNumbers(text);
  }
  return value;
}

/**
 * Reads a JSON body whose text is kept beside the value, so that nothing is lost where JavaScript cannot keep it exactly.
 *
 * @throws LilyError `malformed-json`, with the position, when it is not JSON in UTF-8.
 * @throws InvalidInput when it is nested too deep.
 */
export function readJsonText(bytes: Uint8Array): { text: string; value: unknown } {
  const text = decode(bytes);
  checkDepth(bytes);
  return { text, value: parse(text) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new LilyError('malformed-json', 'The body is not valid UTF-8', { cause });
  }
  if (text.startsWith('\uFEFF')) {
    throw new LilyError(
      'malformed-json',
      'The body starts with a byte order mark (U+FEFF) at position 0; leave it out',
    );
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new LilyError('malformed-json', describeJsonFault(text), { cause });
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** Counts brackets outside strings, before anything recursive sees the body. */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === backslash) at += 1;
      else if (byte === quote) inString = false;
    } else if (byte === quote) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > maxJsonDepth) throw new InvalidInput(`The body is nested deeper than ${maxJsonDepth} levels`);
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
}

/** Cheap signs of the rare things that {@link checkOddities} and {@link checkNumbers} look for; false alarms are harmless. */
const oddities = /__proto__|\\u005f|\\ud[89a-f]|\d{16}|[eE]\+?\d{3}/i;

function mayHoldOddities(text: string): boolean {
  return oddities.test(text);
}

function checkOddities(root: unknown): void {
  const stack: { value: unknown; path: string[] }[] = [{ value: root, path: [] }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { value, path } = item;
    if (typeof value === 'string') checkText(value, path);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw refused(path, 'is a number too large to keep; send it as a string');
    }
    if (typeof value !== 'object' || value === null) continue;
    for (const key of Object.keys(value)) {
      const inner = [...path, key];
      if (key === '__proto__') throw refused(inner, 'the key __proto__ is not allowed');
      checkText(key, path);
      stack.push({ value: (value as Record<string, unknown>)[key], path: inner });
    }
  }
}

function checkText(text: string, path: string[]): void {
  if (!text.isWellFormed()) throw refused(path, 'holds half of a surrogate pair, which is not a character');
}

/** Whole numbers beyond 2^53 would come back changed. */
function checkNumbers(text: string): void {
  JSON.parse(text, (key: string, value: unknown, context?: { source?: string }) => {
    const inexact = typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '');
    if (inexact)
      throw refused(
        [key],
        `${context?.source} is a whole number that JSON readers do not keep exactly; send it as a string`,
      );
    return value;
  });
}

function refused(path: string[], detail: string): InvalidInput {
  const field = jsonPointer(path);
  return new InvalidInput(`${field} in the body: ${detail}`, [{ field, detail }]);
}
