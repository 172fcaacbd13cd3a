import type { Attributes, Json, Relationship } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import { byCodeUnit, qualifiedName } from '../shared/names.ts';
import type { Owner, Properties, Rule } from './catalog.ts';
import type { Neo4jSession } from './connection.ts';

interface NamedRef {
  entity_type: string;
  qualified_name: string;
}

export function databaseRecords(root: string, { database, version, edition }: Neo4jSession): SourceRecord[] {
  const server = { entity_type: 'server', qualified_name: qualifiedName(root) };
  return [
    {
      ...server,
      attributes: { name: root, engine: 'Neo4j', edition },
      statistics: { server_version: version },
    },
    {
      entity_type: 'database',
      qualified_name: qualifiedName(root, database),
      attributes: { name: database },
      parent: server,
    },
  ];
}

/** The label or relationship type, followed by its properties. */
export function ownerRecords(
  parts: readonly [root: string, database: string],
  owner: Owner,
  facts: { properties: Properties; rules: Rule[]; ends?: { from: string[]; to: string[] } | undefined },
): SourceRecord[] {
  const self: NamedRef = { entity_type: owner.kind, qualified_name: qualifiedName(...parts, owner.name) };
  const { properties, ends } = facts;
  const rules = facts.rules.filter((rule) => isAbout(rule, owner));
  const labelRef = (label: string): NamedRef => ({
    entity_type: 'label',
    qualified_name: qualifiedName(...parts, label),
  });
  const relationships: Relationship<NamedRef>[] = [
    ...(ends?.from ?? []).map((label) => ({ relationship_type: 'FROM_LABEL', target: labelRef(label) })),
    ...(ends?.to ?? []).map((label) => ({ relationship_type: 'TO_LABEL', target: labelRef(label) })),
  ].slice(0, limits.edgesPerEntity);
  const record: SourceRecord = {
    ...self,
    attributes: { name: owner.name, ...ruleAttributes(rules) },
    parent: { entity_type: 'database', qualified_name: qualifiedName(...parts) },
    ...(relationships.length === 0 ? {} : { relationships }),
    statistics: { count: properties.count, sampled: properties.sampled, sample_is_whole: properties.isWhole },
  };
  const below = [...properties.types]
    .filter(([name]) => qualifiedName(...parts, owner.name, name).length <= limits.qualifiedNameLength)
    .sort(([a], [b]) => byCodeUnit(a, b))
    .map(([name, types]) => propertyRecord(parts, owner, self, name, types, rules));
  return [record, ...below];
}

/** A label and a relationship type may have the same name, so their properties are of different types. */
export function propertyType(kind: Owner['kind']): 'property' | 'relationship_property' {
  return kind === 'label' ? 'property' : 'relationship_property';
}

function propertyRecord(
  parts: readonly [root: string, database: string],
  owner: Owner,
  parent: NamedRef,
  name: string,
  types: ReadonlyMap<string, number>,
  rules: Rule[],
): SourceRecord {
  const attributes: Attributes = { name: name === '' ? '""' : name };
  const unique = rules.some(
    ({ type, properties }) => /UNIQUENESS|KEY/.test(type) && properties?.length === 1 && properties[0] === name,
  );
  const required = rules.some(
    ({ type, properties }) => /EXISTENCE|KEY/.test(type) && properties?.includes(name) === true,
  );
  if (unique) attributes['unique'] = true;
  if (required) attributes['nullable'] = false;
  const occurrences = [...types.values()].reduce((sum, times) => sum + times, 0);
  return {
    entity_type: propertyType(owner.kind),
    qualified_name: qualifiedName(...parts, owner.name, name),
    attributes,
    parent,
    statistics: { types: Object.fromEntries([...types].sort(([a], [b]) => byCodeUnit(a, b))), occurrences },
  };
}

function isAbout({ entityType, labelsOrTypes }: Rule, { kind, name }: Owner): boolean {
  return entityType === (kind === 'label' ? 'NODE' : 'RELATIONSHIP') && labelsOrTypes?.includes(name) === true;
}

function ruleAttributes(rules: Rule[]): Record<string, Json> {
  const attributes: Record<string, Json> = {};
  for (const [rule, field] of [
    ['constraint', 'constraints'],
    ['index', 'indexes'],
  ] as const) {
    const some = rules.filter((one) => one.rule === rule);
    if (some.length > 0)
      attributes[field] = some.map(({ name, type, properties }) => ({ name, type, properties: properties ?? [] }));
  }
  return attributes;
}
