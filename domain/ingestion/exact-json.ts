import type { Json } from '../assets/entity.ts';

/**
 * Reads JSON that somebody else has written and nobody can be asked to write otherwise. A whole number that JavaScript
 * would change is kept as text. @throws SyntaxError
 */
export function parseExactJson(text: string): Json {
  if (!/\d{16}|[eE]\+?\d{3}/.test(text)) return JSON.parse(text) as Json;
  return JSON.parse(text, (_key, value: Json, context?: { source?: string }) => {
    if (typeof value !== 'number' || context?.source === undefined) return value;
    const isExact = Number.isFinite(value) && (Number.isSafeInteger(value) || !/^-?\d+$/.test(context.source));
    return isExact ? value : context.source;
  }) as Json;
}
