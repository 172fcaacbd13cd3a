import type { SourceRecord } from '../../source.ts';
import { limits } from '#domain/limits.ts';
import type { ProjectNames } from './names.ts';
import { described, present } from './attribute-values.ts';
import type { CatalogEntry, DbtColumn, DbtNode } from './schemas.ts';

type CatalogColumn = CatalogEntry['columns'][string];

/**
 * Columns that are documented, found in the warehouse, or both. They are the same when their names differ in case alone, as they
 * do on warehouses that fold case; the documentation's spelling stands, so that it is the same with and without the catalogue.
 */
export function columnRecords(node: DbtNode, catalog: CatalogEntry | undefined, names: ProjectNames): SourceRecord[] {
  const documented = Object.values(node.columns ?? {});
  const found = Object.values(catalog?.columns ?? {}).toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0));
  const match = matcher(documented, found);
  const columns = [
    ...found.map((column) => ({ found: column, documented: match.get(column) })),
    ...documented
      .filter((column) => ![...match.values()].includes(column))
      .map((column) => ({ found: undefined, documented: column })),
  ];
  return columns.map(({ found: real, documented: said }) => columnRecord(node.unique_id, real, said, names));
}

/** Exact names first: a warehouse that keeps case may have both `id` and `ID`. */
function matcher(documented: DbtColumn[], found: CatalogColumn[]): Map<CatalogColumn, DbtColumn> {
  const match = new Map<CatalogColumn, DbtColumn>();
  const open = new Map(documented.map((column) => [column.name, column]));
  for (const column of found) {
    const same = open.get(column.name);
    if (same === undefined) continue;
    match.set(column, same);
    open.delete(same.name);
  }
  const folded = new Map([...open.values()].map((column) => [column.name.toLowerCase(), column]));
  for (const column of found) {
    const same = folded.get(column.name.toLowerCase());
    if (match.has(column) || same === undefined) continue;
    match.set(column, same);
    folded.delete(column.name.toLowerCase());
  }
  return match;
}

function columnRecord(
  uniqueId: string,
  real: CatalogColumn | undefined,
  said: DbtColumn | undefined,
  names: ProjectNames,
): SourceRecord {
  const name = said?.name ?? real?.name ?? '';
  return {
    ...names.column(uniqueId, name),
    attributes: {
      name: name.slice(0, limits.nameLength),
      ...present({
        description: described(said?.description || real?.comment),
        tags: said?.tags?.filter((tag) => tag !== ''),
        data_type: real?.type || said?.data_type,
        ordinal: real?.index,
        meta: said?.meta,
        constraints: said?.constraints?.map(({ type }) => type),
      }),
    },
    parent: names.node(uniqueId),
  };
}
