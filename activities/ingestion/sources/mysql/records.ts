import { createHash } from 'node:crypto';
import type { Attributes, Json, Relationship } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import { byCodeUnit, qualifiedName } from '../shared/names.ts';
import type { ColumnRow, DatabaseRow, KeyColumnRow, RelationRow, ViewRow } from './catalog.ts';
import type { ServerKind } from './connection.ts';
import type { RelationName } from './view-lineage.ts';

const longestDefinition = 200_000;
const longestDefault = 20_000;

interface NamedRef {
  entity_type: string;
  qualified_name: string;
}

/** A key of a relation, with its columns in their order. */
export interface Key {
  name: string;
  kind: 'primary' | 'unique' | 'foreign';
  columns: string[];
  target?: RelationName;
  targetColumns: string[];
}

/** What is known of one relation beside its row. */
export interface RelationFacts {
  root: string;
  database: string;
  columns: ColumnRow[];
  keys: Key[];
  /** Of a view only. */
  view?: ViewRow | undefined;
  /** What a view is made from; undefined when its definition could not be seen. */
  sources?: { known: { relation: RelationName; type: string }[]; hidden: RelationName[] } | undefined;
}

export function serverRecord(root: string, { engine, version }: ServerKind): SourceRecord {
  return {
    entity_type: 'server',
    qualified_name: qualifiedName(root),
    attributes: { name: root, engine },
    statistics: { server_version: version },
  };
}

export function databaseRecord(root: string, { name, charset, collation }: DatabaseRow): SourceRecord {
  return {
    entity_type: 'database',
    qualified_name: qualifiedName(root, name),
    attributes: { name, charset, collation },
    parent: { entity_type: 'server', qualified_name: qualifiedName(root) },
  };
}

export function entityTypeOf(relationType: string): 'table' | 'view' {
  return relationType === 'VIEW' ? 'view' : 'table';
}

export function keysOf(rows: KeyColumnRow[]): Key[] {
  return [...Map.groupBy(rows, (row) => row.key_name)].map(([name, columns]): Key => {
    const [first] = columns;
    const target =
      first?.target_database != null && first.target != null
        ? { database: first.target_database, name: first.target }
        : undefined;
    return {
      name,
      kind: target !== undefined ? 'foreign' : name === 'PRIMARY' ? 'primary' : 'unique',
      columns: columns.map((row) => row.column),
      ...(target && { target }),
      targetColumns: columns.flatMap((row) => row.target_column ?? []),
    };
  });
}

/** The relation, followed by its columns. */
export function relationRecords(row: RelationRow, facts: RelationFacts): SourceRecord[] {
  const { root, database } = facts;
  const entityType = entityTypeOf(row.type);
  const self: NamedRef = { entity_type: entityType, qualified_name: qualifiedName(root, database, row.name) };
  const upstream = upstreamOf(facts);
  const relationships = edges(facts.keys, ({ target }) => target && tableRef(root, target));
  const record: SourceRecord = {
    ...self,
    attributes: entityType === 'view' ? viewAttributes(row, facts) : tableAttributes(row, facts),
    parent: { entity_type: 'database', qualified_name: qualifiedName(root, database) },
    ...(entityType === 'view' ? { upstream: upstream.slice(0, limits.edgesPerEntity) } : {}),
    ...(relationships.length === 0 ? {} : { relationships }),
    ...(entityType === 'view' ? {} : { statistics: statistics(row) }),
  };
  return [record, ...facts.columns.map((column) => columnRecord(row, column, self, facts))];
}

function tableAttributes(row: RelationRow, { root, keys }: RelationFacts): Attributes {
  const attributes: Attributes = { ...described(row.name, row.comment), kind: row.type.toLowerCase() };
  if (row.engine !== null) attributes['engine'] = row.engine;
  if (row.collation !== null) attributes['collation'] = row.collation;
  if (row.options !== null && row.options !== '') attributes['options'] = row.options;
  const primary = keys.find((key) => key.kind === 'primary');
  const unique = keys.filter((key) => key.kind === 'unique');
  const foreign = keys.filter((key) => key.kind === 'foreign');
  if (primary !== undefined) attributes['primary_key'] = primary.columns;
  if (unique.length > 0) attributes['unique_keys'] = unique.map(({ name, columns }) => ({ name, columns }));
  if (foreign.length > 0) {
    attributes['foreign_keys'] = foreign.map(({ name, columns, target, targetColumns }) => ({
      name,
      columns,
      references: target === undefined ? null : tableRef(root, target).qualified_name,
      referenced_columns: targetColumns,
    }));
  }
  return attributes;
}

function viewAttributes(row: RelationRow, facts: RelationFacts): Attributes {
  const definition = facts.view?.definition ?? '';
  const attributes: Attributes = { name: row.name, column_lineage: facts.sources === undefined ? 'none' : 'relation' };
  if (facts.view?.definer != null && facts.view.definer !== '') attributes.created_by = facts.view.definer;
  if (facts.view?.security != null) attributes['security'] = facts.view.security.toLowerCase();
  if (definition === '') attributes['definition_visible'] = false;
  else attributes['definition'] = definition.slice(0, longestDefinition);
  if (definition.length > longestDefinition) {
    attributes['definition_sha256'] = createHash('sha256').update(definition).digest('hex');
  }
  const upstream = upstreamOf(facts);
  if (upstream.length > limits.edgesPerEntity) attributes['upstream_count'] = upstream.length;
  const hidden = (facts.sources?.hidden ?? []).map((name) => qualifiedName(facts.root, name.database, name.name));
  if (hidden.length > 0) attributes['unresolved_upstream'] = hidden.sort(byCodeUnit).slice(0, limits.edgesPerEntity);
  return attributes;
}

function columnRecord(relation: RelationRow, row: ColumnRow, parent: NamedRef, facts: RelationFacts): SourceRecord {
  const { root, database, keys } = facts;
  const own = keys.filter((key) => key.columns.includes(row.name));
  const relationships = edges(own, (key) => {
    const target = key.targetColumns[key.columns.indexOf(row.name)];
    if (key.target === undefined || target === undefined) return undefined;
    const { database, name } = key.target;
    return { entity_type: 'column', qualified_name: qualifiedName(root, database, name, target) };
  });
  return {
    entity_type: 'column',
    qualified_name: qualifiedName(root, database, relation.name, row.name),
    attributes: columnAttributes(relation, row, own),
    parent,
    ...(relationships.length === 0 ? {} : { relationships }),
  };
}

function columnAttributes(relation: RelationRow, row: ColumnRow, keys: Key[]): Attributes {
  const extra: Record<string, Json> = {};
  if (entityTypeOf(relation.type) === 'table') extra['nullable'] = row.nullable === 'YES';
  if (row.generated_as !== null && row.generated_as !== '') {
    extra['generated_as'] = row.generated_as.slice(0, longestDefault);
  } else if (row.default_expression !== null && row.default_expression !== 'NULL') {
    // MariaDB writes the default of a column without one as NULL.
    extra['default'] = row.default_expression.slice(0, longestDefault);
  }
  if (row.collation !== null) extra['collation'] = row.collation;
  const details = row.extra.replace('DEFAULT_GENERATED', '').trim().toLowerCase();
  if (details !== '') extra['extra'] = details;
  if (keys.some((key) => key.kind === 'primary')) extra['primary_key'] = true;
  if (keys.some((key) => key.kind === 'unique' && key.columns.length === 1)) extra['unique'] = true;
  return {
    ...described(row.name, row.comment),
    data_type: row.data_type,
    ordinal_position: row.position,
    ...extra,
  };
}

function upstreamOf({ root, sources }: RelationFacts): NamedRef[] {
  const refs = (sources?.known ?? []).map(({ relation, type }) => ({
    entity_type: entityTypeOf(type),
    qualified_name: qualifiedName(root, relation.database, relation.name),
  }));
  return refs.sort((a, b) => byCodeUnit(a.qualified_name, b.qualified_name));
}

/** `REFERENCES` to what the foreign keys among these point at, each once. */
function edges(keys: Key[], targetOf: (key: Key) => NamedRef | undefined): Relationship<NamedRef>[] {
  const targets = new Map<string, NamedRef>();
  for (const key of keys) {
    const target = key.kind === 'foreign' ? targetOf(key) : undefined;
    if (target !== undefined) targets.set(target.qualified_name, target);
  }
  return [...targets.values()]
    .sort((a, b) => byCodeUnit(a.qualified_name, b.qualified_name))
    .slice(0, limits.edgesPerEntity)
    .map((target) => ({ relationship_type: 'REFERENCES', target }));
}

/** A foreign key never points at a view. */
function tableRef(root: string, { database, name }: RelationName): NamedRef {
  return { entity_type: 'table', qualified_name: qualifiedName(root, database, name) };
}

function described(name: string, comment: string | null): { name: string; description?: string } {
  return comment === null || comment === ''
    ? { name }
    : { name, description: comment.slice(0, limits.descriptionLength) };
}

function statistics(row: RelationRow): Record<string, Json> {
  const known: Record<string, Json> = {};
  if (row.row_estimate !== null) known['row_estimate'] = Number(row.row_estimate);
  if (row.size_bytes !== null) known['size_bytes'] = Number(row.size_bytes);
  return known;
}
