import type { Row } from '#domain/ingestion/mapping.ts';
import { limits } from '#domain/limits.ts';

/** One row of a file: what it holds, or why it cannot be read. */
export type FileRow = { number: number; row: Row } | { number: number; fault: string; body: string };

/** Reads a row from its JSON text. */
export function rowOfJson(number: number, text: string): FileRow {
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

/** A row without a prototype: a column may have any name. */
export function emptyRow(): Row {
  return Object.create(null) as Row;
}

/** The beginning of a text, as much as is kept of a rejected row. */
export function shortened(text: string): string {
  return text.length <= limits.rejectedRowBytes ? text : `${text.slice(0, limits.rejectedRowBytes)}…`;
}
