import type { Json } from '../assets/entity.ts';
import { limits } from '../limits.ts';
import { applyMapping, defaultMapping, type Mapped, type Mapping } from './mapping.ts';

/**
 * The rows in a JSON document of somebody else's making, the body of a webhook or a message of a topic: those that
 * `mapping.records` points at, or else those of the list that it is, or else the document itself.
 */
export type Rows = { ok: true; rows: Json[] } | { ok: false; detail: string };

export function rowsOf(mapping: Mapping | undefined, document: Json): Rows {
  const pointer = mapping?.records;
  const found = pointer === undefined ? document : at(document, pointer);
  if (found === undefined) return { ok: false, detail: `there is nothing at ${pointer}, where the rows should be` };
  const rows = Array.isArray(found) ? found : [found];
  if (rows.length <= limits.recordsPerRequest) return { ok: true, rows };
  return { ok: false, detail: `there are ${rows.length} rows; at most ${limits.recordsPerRequest} may come together` };
}

/** Makes a record of one row, by the default mapping where there is no other. */
export function mapRow(mapping: Mapping | undefined, row: Json): Mapped {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    const what = Array.isArray(row) ? 'a list' : row === null ? 'null' : `a ${typeof row}`;
    return { ok: false, detail: `a row must be an object, not ${what}` };
  }
  return applyMapping(mapping ?? defaultMapping, row);
}

/** RFC 6901. */
function at(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, Json>)[key];
  }
  return value;
}
