import type { Attributes, Json, Relationship } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import type { ColumnRow, KeyRow, RelationRow } from './catalog.ts';
import type { NameBook, NamedRef } from './name-book.ts';
import { described, sorted } from './relation-record.ts';
import type { ViewLineage } from './view-lineage.ts';

/** Characters of a default expression that are kept. */
const longestDefault = 20_000;

const identities: Readonly<Record<string, string>> = { a: 'always', d: 'by default' };
const generations: Readonly<Record<string, string>> = { s: 'stored', v: 'virtual' };

/** What a column's record needs to know about its relation. */
export interface ColumnFacts {
  names: NameBook;
  /** Names of columns in the primary key. */
  primary: ReadonlySet<string>;
  /** Names of columns that are unique on their own. */
  unique: ReadonlySet<string>;
  foreign: KeyRow[];
  lineage: ViewLineage | undefined;
}

export function columnRecord(relation: RelationRow, column: ColumnRow, about: ColumnFacts): SourceRecord {
  const self = about.names.column(relation.oid, column.name);
  const parent = about.names.relation(relation.oid);
  if (self === undefined || parent === undefined) throw new Error(`relation ${relation.oid} has no name`);
  const relationships = references(column, about);
  return {
    ...self,
    attributes: columnAttributes(relation, column, about),
    parent,
    ...upstreamOf(column, about),
    ...(relationships.length === 0 ? {} : { relationships }),
  };
}

function columnAttributes(relation: RelationRow, column: ColumnRow, about: ColumnFacts): Attributes {
  const isView = relation.kind === 'v' || relation.kind === 'm';
  const extra: Record<string, Json> = {};
  // A view's columns are always said to be nullable, which would say nothing.
  if (!isView) extra['nullable'] = column.nullable;
  if (column.default_expression !== null) {
    const field = column.generated === '' ? 'default' : 'generated_as';
    extra[field] = column.default_expression.slice(0, longestDefault);
  }
  const identity = identities[column.identity];
  const generation = generations[column.generated];
  if (identity !== undefined) extra['identity'] = identity;
  if (generation !== undefined) extra['generated'] = generation;
  if (about.primary.has(column.name)) extra['primary_key'] = true;
  if (about.unique.has(column.name)) extra['unique'] = true;
  return {
    ...described(column.name, column.description),
    data_type: column.data_type,
    ordinal_position: column.attnum,
    ...extra,
  };
}

/** Sources of a view's column. Too many to state one by one are left to the view's own upstream. */
function upstreamOf(column: ColumnRow, about: ColumnFacts): { upstream?: NamedRef[] } {
  const sources = about.lineage?.columns?.get(column.attnum);
  if (sources === undefined) return about.lineage === undefined ? {} : { upstream: [] };
  const names = new Map<string, NamedRef>();
  for (const { relid, attnum } of sources) {
    for (const ref of about.names.columns(relid, attnum)) names.set(ref.qualified_name, ref);
  }
  const upstream = sorted([...names.values()]);
  return { upstream: upstream.length > limits.edgesPerEntity ? [] : upstream };
}

/** The columns that this one refers to: the one at the same place in each foreign key. */
function references(column: ColumnRow, about: ColumnFacts): Relationship<NamedRef>[] {
  const targets = new Map<string, NamedRef>();
  for (const key of about.foreign) {
    const name = key.target_columns[key.columns.indexOf(column.name)];
    const ref = name === undefined ? undefined : about.names.column(key.target, name);
    if (ref !== undefined) targets.set(ref.qualified_name, ref);
  }
  return sorted([...targets.values()]).map((target) => ({ relationship_type: 'REFERENCES', target }));
}
