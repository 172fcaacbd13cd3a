import type { Row } from '#domain/ingestion/mapping.ts';
import { limits } from '#domain/limits.ts';

/** One row of a file: what it holds, or why it cannot be read. */
export type FileRow = { number: number; row: Row } | { number: number; fault: string; body: string };

/** Reads a row from its JSON text. */
export function rowOfJson(number: number, text: string): FileRow {
  // Beyond some thousand levels it could be parsed, and never be written again.
  if (isDeeper(text, limits.fileDepth)) {
    return { number, fault: `is nested deeper than ${limits.fileDepth} levels`, body: shortened(text) };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : '';
    return { number, fault: `is no JSON: ${why}`, body: shortened(text) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { number, fault: 'is no object', body: shortened(text) };
  }
  return { number, row: value as Row };
}

/** Whether a JSON text has more levels than that of objects and lists, by its brackets alone. */
function isDeeper(text: string, levels: number): boolean {
  if (text.length <= levels) return false;
  let [depth, inText] = [0, false];
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (inText) {
      if (sign === '\\') at += 1;
      else if (sign === '"') inText = false;
    } else if (sign === '"') inText = true;
    else if (sign === ']' || sign === '}') depth -= 1;
    else if (sign === '[' || sign === '{') {
      depth += 1;
      if (depth > levels) return true;
    }
  }
  return false;
}

/** A row without a prototype: a column may have any name. */
export function emptyRow(): Row {
  return Object.create(null) as Row;
}

/** The beginning of a text, as much as is kept of a rejected row. */
export function shortened(text: string): string {
  return text.length <= limits.rejectedRowBytes ? text : `${text.slice(0, limits.rejectedRowBytes)}…`;
}
