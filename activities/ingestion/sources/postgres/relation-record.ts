import { createHash } from 'node:crypto';
import type { Attributes, Json, Relationship } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import type { DatabaseRow, KeyRow, RelationRow, SchemaRow } from './catalog.ts';
import type { NamedRef } from './name-book.ts';
import { qualifiedName } from '../shared/names.ts';
import type { PageFacts } from './page.ts';

/** Characters of a view's definition that are kept; a digest of the whole tells when the rest changes. */
const longestDefinition = 200_000;

const tableKinds: Readonly<Record<string, string>> = { r: 'table', p: 'partitioned table', f: 'foreign table' };

export function databaseRecord(root: string, row: DatabaseRow): SourceRecord {
  return {
    entity_type: 'database',
    qualified_name: qualifiedName(root),
    attributes: {
      ...described(row.name, row.description),
      created_by: row.owner,
      engine: 'PostgreSQL',
      encoding: row.encoding,
    },
    statistics: { server_version: row.server_version },
  };
}

export function schemaRecord(root: string, row: SchemaRow): SourceRecord {
  return {
    entity_type: 'schema',
    qualified_name: qualifiedName(root, row.name),
    attributes: { ...described(row.name, row.description), created_by: row.owner },
    parent: { entity_type: 'database', qualified_name: qualifiedName(root) },
  };
}

export function relationRecord(row: RelationRow, facts: PageFacts): SourceRecord {
  const self = facts.names.relation(row.oid);
  if (self === undefined) throw new Error(`relation kind ${row.kind} has no entity type`);
  const keys = facts.keys.get(row.oid) ?? [];
  const parents = (facts.parents.get(row.oid) ?? []).flatMap(({ parent }) => facts.names.relation(parent) ?? []);
  const isView = self.entity_type !== 'table';
  const attributes: Attributes = {
    ...described(row.name, row.description),
    created_by: row.owner,
    ...(isView ? viewAttributes(row, facts) : { kind: tableKinds[row.kind] ?? row.kind }),
    ...keyAttributes(keys, facts),
    ...partitionAttributes(row, parents),
  };
  const relationships: Relationship<NamedRef>[] = [
    ...references(keys, facts),
    ...parents.map((target) => ({
      relationship_type: row.partition_bound === null ? 'INHERITS' : 'PARTITION_OF',
      target,
    })),
  ];
  return {
    ...self,
    attributes,
    parent: facts.names.schema(row.schema),
    ...(isView ? { upstream: upstreamOf(row, facts).slice(0, limits.edgesPerEntity) } : {}),
    ...(relationships.length === 0 ? {} : { relationships: relationships.slice(0, limits.edgesPerEntity) }),
    ...(row.kind === 'v' ? {} : { statistics: statistics(row) }),
  };
}

/** Name and description, cut to what an entity may hold. */
export function described(name: string, description: string | null): { name: string; description?: string } {
  if (description === null || description === '') return { name };
  return { name, description: description.slice(0, limits.descriptionLength) };
}

function upstreamOf(row: RelationRow, facts: PageFacts): NamedRef[] {
  const relations = facts.lineage.get(row.oid)?.relations ?? [];
  return sorted(relations.flatMap((oid) => facts.names.relation(oid) ?? []));
}

/** References in an order that depends on nothing but the names: oids differ after a restore. */
export function sorted(refs: NamedRef[]): NamedRef[] {
  return refs.sort((a, b) => compare(a.qualified_name, b.qualified_name) || compare(a.entity_type, b.entity_type));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function viewAttributes(row: RelationRow, facts: PageFacts): Record<string, Json> {
  const definition = row.definition ?? '';
  const upstream = upstreamOf(row, facts);
  const attributes: Record<string, Json> = {
    definition: definition.slice(0, longestDefinition),
    column_lineage: facts.lineage.get(row.oid)?.columns === undefined ? 'relation' : 'column',
  };
  if (definition.length > longestDefinition) {
    attributes['definition_sha256'] = createHash('sha256').update(definition).digest('hex');
  }
  if (upstream.length > limits.edgesPerEntity) attributes['upstream_count'] = upstream.length;
  return attributes;
}

function keyAttributes(keys: KeyRow[], facts: PageFacts): Record<string, Json> {
  const attributes: Record<string, Json> = {};
  const primary = keys.find((key) => key.kind === 'p');
  const unique = keys.filter((key) => key.kind === 'u');
  const foreign = keys.filter((key) => key.kind === 'f');
  if (primary !== undefined) attributes['primary_key'] = primary.columns;
  if (unique.length > 0) attributes['unique_keys'] = unique.map(({ name, columns }) => ({ name, columns }));
  if (foreign.length > 0) {
    attributes['foreign_keys'] = foreign.map(({ name, columns, target, target_columns }) => ({
      name,
      columns,
      references: facts.names.relation(target)?.qualified_name ?? null,
      referenced_columns: target_columns,
    }));
  }
  return attributes;
}

function partitionAttributes(row: RelationRow, parents: NamedRef[]): Record<string, Json> {
  const attributes: Record<string, Json> = {};
  if (row.partition_key !== null) attributes['partitioned_by'] = row.partition_key;
  if (row.partition_bound !== null) {
    attributes['partition_of'] = parents[0]?.qualified_name ?? null;
    attributes['partition_bound'] = row.partition_bound;
  }
  return attributes;
}

/** Tables that this one's foreign keys point at, each once. */
function references(keys: KeyRow[], facts: PageFacts): Relationship<NamedRef>[] {
  const targets = new Set(keys.filter((key) => key.kind === 'f').map((key) => key.target));
  const refs = [...targets].flatMap((oid) => facts.names.relation(oid) ?? []);
  return sorted(refs).map((target) => ({ relationship_type: 'REFERENCES', target }));
}

/** As of the last VACUUM or ANALYZE: reading the true size would need a lock on the table. */
function statistics(row: RelationRow): Record<string, Json> {
  const size = { size_bytes: Number(row.size_bytes) };
  return row.row_estimate < 0 ? size : { row_estimate: Math.round(row.row_estimate), ...size };
}
