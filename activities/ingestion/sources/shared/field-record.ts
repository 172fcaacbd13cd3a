import type { Attributes, Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import type { Field } from './field-tree.ts';
import { qualifiedName } from './names.ts';

interface NamedRef {
  entity_type: string;
  qualified_name: string;
}

/**
 * The record of a field that was found by looking at documents. How often it had which type is measured, so it stands in the
 * statistics and makes no versions; undefined for a name that is longer than an entity's may be.
 *
 * @param owner what has the fields, with the parts of its qualified name
 */
export function fieldRecord(
  owner: NamedRef,
  parts: readonly string[],
  { path, types, itemTypes, documents }: Field,
  more: Record<string, Json> = {},
): SourceRecord | undefined {
  const name = path.at(-1) ?? '';
  const ownName = qualifiedName(...parts, ...path);
  if (ownName.length > limits.qualifiedNameLength || name.length > limits.nameLength) return undefined;
  const above = path.slice(0, -1);
  const parent =
    above.length === 0 ? owner : { entity_type: 'field', qualified_name: qualifiedName(...parts, ...above) };
  const attributes: Attributes = { name: name === '' ? '""' : name, ...more };
  const statistics: Record<string, Json> = { types: sortedCounts(types), documents };
  if (itemTypes.size > 0) statistics['item_types'] = sortedCounts(itemTypes);
  return { entity_type: 'field', qualified_name: ownName, attributes, parent, statistics };
}

function sortedCounts(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
