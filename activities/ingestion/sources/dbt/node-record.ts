import type { Attributes, Json, Relationship } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { SourceRecord } from '../../source.ts';
import { byCodeUnit } from '../shared/names.ts';
import { described, present } from './attribute-values.ts';
import { columnRecords } from './column-record.ts';
import { resourceTypeOf, type NamedRef, type ProjectNames, type RelationKind } from './names.ts';
import { ownerKey, ownerText } from './owners.ts';
import type { CatalogEntry, DbtNode, Freshness, RunResult } from './schemas.ts';

/** Characters of a node's code that are kept; its checksum tells when the rest changes. */
const longestCode = 50_000;
const longestMessage = 1_000;

/** What the other artifacts say of a node. */
export interface NodeFacts {
  catalog?: CatalogEntry;
  run?: RunResult;
  freshness?: Freshness;
}

/** The node's entity, followed by those of its columns. */
export function nodeRecords(node: DbtNode, facts: NodeFacts, names: ProjectNames): SourceRecord[] {
  const upstream = upstreamOf(node, facts, names);
  const relationships = relationshipsOf(node, facts, names);
  const statistics = statisticsOf(facts);
  const record: SourceRecord = {
    ...names.node(node.unique_id),
    attributes: {
      ...attributesOf(node, facts),
      ...(upstream.length > limits.edgesPerEntity && { upstream_count: upstream.length }),
    },
    parent: names.project,
    ...(upstream.length > 0 && { upstream: upstream.slice(0, limits.edgesPerEntity) }),
    ...(relationships.length > 0 && { relationships: relationships.slice(0, limits.edgesPerEntity) }),
    ...(Object.keys(statistics).length > 0 && { statistics }),
  };
  return [record, ...columnRecords(node, facts.catalog, names)];
}

const isTest = (node: DbtNode): boolean => ['test', 'unit_test'].includes(resourceTypeOf(node.unique_id));

function attributesOf(node: DbtNode, { catalog }: NodeFacts): Attributes {
  const { config, test_metadata: test } = node;
  const isSource = node.source_name != null;
  return {
    name: node.name.slice(0, limits.nameLength),
    ...present({
      description: described(node.description || catalog?.metadata.comment),
      tags: node.tags?.filter((tag) => tag !== ''),
      owner: ownerText(node),
      meta: node.meta,
      label: node.label,
      group: node.group,
      unique_id: node.unique_id,
      package_name: node.package_name,
      path: node.original_file_path,
      database: node.database,
      schema: isTest(node) ? undefined : node.schema,
      identifier: isTest(node) ? undefined : (node.identifier ?? node.alias),
      relation_name: node.relation_name,
      relation_type: catalog?.metadata.type,
      materialized: isTest(node) ? undefined : config?.materialized,
      unique_key: config?.unique_key,
      strategy: config?.strategy ?? config?.incremental_strategy,
      access: node.access,
      version: node.version,
      latest_version: node.latest_version,
      deprecation_date: node.deprecation_date,
      contract_enforced: config?.contract?.enforced === true ? true : undefined,
      constraints: node.constraints?.map(({ type, columns }) => present({ type, columns })),
      language: node.raw_code ? node.language : undefined,
      code: node.raw_code?.slice(0, longestCode),
      checksum: typeof node.checksum === 'string' ? node.checksum : node.checksum?.checksum,
      source_name: node.source_name,
      source_description: described(node.source_description),
      loader: node.loader,
      loaded_at_field: node.loaded_at_field,
      freshness: isSource ? node.freshness : undefined,
      test: test?.namespace ? `${test.namespace}.${test.name}` : test?.name,
      test_arguments: test?.kwargs == null ? undefined : withoutModel(test.kwargs),
      column_name: node.column_name,
      severity: isTest(node) ? config?.severity?.toLowerCase() : undefined,
      where: config?.where,
      type: node.type,
      maturity: node.maturity,
      url: node.url,
      type_params: node.type_params,
      filter: node.filter,
      time_granularity: node.time_granularity,
      entities: node.entities,
      dimensions: node.dimensions,
      measures: node.measures,
      query_params: node.query_params,
    }),
  };
}

/** The argument `model` is a template that says only what the test is attached to. */
function withoutModel(kwargs: Record<string, Json>): Record<string, Json> {
  return Object.fromEntries(Object.entries(kwargs).filter(([name]) => name !== 'model'));
}

/** What the node is made from. A test makes nothing, so it has no place in the lineage. */
function upstreamOf(node: DbtNode, facts: NodeFacts, names: ProjectNames): NamedRef[] {
  if (isTest(node)) return [];
  const made = [...new Set(node.depends_on?.nodes ?? [])].toSorted(byCodeUnit).map((id) => names.node(id));
  const table = node.source_name == null ? undefined : relationOf(node, facts, names);
  return table === undefined ? made : [...made, table];
}

function relationshipsOf(node: DbtNode, facts: NodeFacts, names: ProjectNames): Relationship<NamedRef>[] {
  const relationships: Relationship<NamedRef>[] = testedBy(node).map((id) => ({
    relationship_type: 'TESTS',
    target: names.node(id),
  }));
  if (isTest(node) && node.attached_node && node.column_name) {
    relationships.push({ relationship_type: 'TESTS', target: names.column(node.attached_node, node.column_name) });
  }
  if (node.group) {
    const target = names.group(node.package_name ?? names.root, node.group);
    relationships.push({ relationship_type: 'IN_GROUP', target });
  }
  const owner = ownerKey(node.owner);
  if (owner !== undefined) relationships.push({ relationship_type: 'OWNED_BY', target: names.owner(owner) });
  const relation = isTest(node) ? undefined : relationOf(node, facts, names);
  if (relation !== undefined) {
    const type = node.source_name == null ? 'MATERIALIZES' : 'SAME_AS';
    relationships.push({ relationship_type: type, target: relation });
  }
  return relationships;
}

/** The nodes that a test is about. The other side of a test of references, say, is not: it is only compared with. */
export function testedBy(node: DbtNode): string[] {
  if (!isTest(node)) return [];
  return node.attached_node ? [node.attached_node] : [...new Set(node.depends_on?.nodes ?? [])].toSorted(byCodeUnit);
}

const kindsOfRelation: readonly [RegExp, RelationKind][] = [
  [/materiali[sz]ed.?view/i, 'materialized_view'],
  [/view/i, 'view'],
];

/** What the node is in the warehouse: as the catalogue found it, or else as it is meant to be made. */
function relationOf(node: DbtNode, { catalog }: NodeFacts, names: ProjectNames): NamedRef | undefined {
  const identifier = node.identifier ?? node.alias;
  const materialized = node.config?.materialized;
  if (!node.schema || !identifier || materialized === 'ephemeral') return undefined;
  if (node.source_name == null && !['model', 'seed', 'snapshot'].includes(resourceTypeOf(node.unique_id)))
    return undefined;
  const said = catalog?.metadata.type || materialized || 'table';
  const kind = kindsOfRelation.find(([pattern]) => pattern.test(said))?.[1] ?? 'table';
  return names.relation(kind, node.schema, identifier);
}

/** What was measured, which is no reason for a new version. */
function statisticsOf({ catalog, run, freshness }: NodeFacts): Record<string, Json> {
  const measured = Object.entries(catalog?.stats ?? {}).filter(
    ([id, { include }]) => include === true && id !== 'has_stats',
  );
  return present({
    last_run:
      run &&
      present({
        status: run.status,
        finished_at: finishedAt(run),
        execution_seconds: run.execution_time,
        rows_affected: run.adapter_response?.rows_affected,
        failures: run.failures,
        message: run.message?.slice(0, longestMessage),
      }),
    freshness:
      freshness &&
      present({
        status: freshness.status,
        checked_at: freshness.snapshotted_at,
        max_loaded_at: freshness.max_loaded_at,
        age_seconds: freshness.max_loaded_at_time_ago_in_s,
      }),
    warehouse: Object.fromEntries(measured.map(([id, { value }]) => [id, value ?? null])),
  });
}

export function finishedAt(run: RunResult): string | undefined {
  return run.timing?.findLast(({ completed_at }) => completed_at)?.completed_at ?? undefined;
}
