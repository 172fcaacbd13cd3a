import { createHash } from 'node:crypto';
import type { Attributes, Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import { extendedJson } from '#platform/mongo/foreign-mongo.ts';
import type { SourceRecord } from '../../source.ts';
import { fieldRecord } from '../shared/field-record.ts';
import { byCodeUnit, qualifiedName } from '../shared/names.ts';
import type { Collection, CollectionType, Index } from './catalog.ts';
import type { Sample } from './sample.ts';
import { viewSources } from './view-lineage.ts';

const longestDefinition = 200_000;

/** Options of a collection, and the attributes that hold them. */
const keptOptions = {
  size: 'size_limit_bytes',
  max: 'document_limit',
  validator: 'validator',
  validationLevel: 'validation_level',
  validationAction: 'validation_action',
  timeseries: 'timeseries',
  expireAfterSeconds: 'expire_after_seconds',
  clusteredIndex: 'clustered_index',
  collation: 'collation',
} as const;

/** What is known of one collection beside what the list of collections says. */
export interface CollectionFacts {
  root: string;
  database: string;
  /** Types of the database's collections by their names. */
  types: ReadonlyMap<string, CollectionType>;
  indexes: Index[];
  estimate: number | undefined;
  sample: Sample | undefined;
}

export function serverRecord(root: string, version: string): SourceRecord {
  return {
    entity_type: 'server',
    qualified_name: qualifiedName(root),
    attributes: { name: root, engine: 'MongoDB' },
    statistics: { server_version: version },
  };
}

export function databaseRecord(root: string, name: string): SourceRecord {
  return {
    entity_type: 'database',
    qualified_name: qualifiedName(root, name),
    attributes: { name },
    parent: { entity_type: 'server', qualified_name: qualifiedName(root) },
  };
}

export function entityTypeOf(type: CollectionType | undefined): 'collection' | 'view' {
  return type === 'view' ? 'view' : 'collection';
}

/** The collection, followed by its fields. */
export function collectionRecords(collection: Collection, facts: CollectionFacts): SourceRecord[] {
  const { root, database, sample } = facts;
  const parts = [root, database, collection.name];
  const self = { entity_type: entityTypeOf(collection.type), qualified_name: qualifiedName(...parts) };
  const fields = [...(sample?.tree.fields() ?? [])].flatMap((field) => fieldRecord(self, parts, field) ?? []);
  const record: SourceRecord = {
    ...self,
    attributes: collection.type === 'view' ? viewAttributes(collection) : collectionAttributes(collection, facts),
    parent: { entity_type: 'database', qualified_name: qualifiedName(root, database) },
    ...(collection.type === 'view' ? { upstream: upstreamOf(collection, facts) } : { statistics: statistics(facts) }),
  };
  return [record, ...fields];
}

function collectionAttributes({ name, type, options }: Collection, { indexes }: CollectionFacts): Attributes {
  const kind = type === 'timeseries' ? 'time series' : options['capped'] === true ? 'capped' : 'collection';
  const attributes: Attributes = { name, kind };
  for (const [option, attribute] of Object.entries(keptOptions)) {
    if (Object.hasOwn(options, option)) attributes[attribute] = plain(options[option]);
  }
  if (indexes.length > 0) attributes['indexes'] = indexes.map((index) => plain(index));
  return attributes;
}

function viewAttributes({ name, options }: Collection): Attributes {
  const pipeline = extendedJson(options['pipeline'] ?? []);
  const attributes: Attributes = {
    name,
    definition: pipeline.slice(0, longestDefinition),
    column_lineage: 'relation',
  };
  if (pipeline.length > longestDefinition) {
    attributes['definition_sha256'] = createHash('sha256').update(pipeline).digest('hex');
  }
  return attributes;
}

function upstreamOf(
  { options }: Collection,
  facts: CollectionFacts,
): { entity_type: string; qualified_name: string }[] {
  return viewSources(options['viewOn'], options['pipeline'])
    .map(({ database = facts.database, collection }) => ({
      entity_type: entityTypeOf(database === facts.database ? facts.types.get(collection) : undefined),
      qualified_name: qualifiedName(facts.root, database, collection),
    }))
    .sort((a, b) => byCodeUnit(a.qualified_name, b.qualified_name))
    .slice(0, limits.edgesPerEntity);
}

function statistics({ estimate, sample }: CollectionFacts): Record<string, Json> {
  const known: Record<string, Json> = {};
  if (estimate !== undefined) known['row_estimate'] = estimate;
  if (sample !== undefined) {
    known['documents_sampled'] = sample.documents;
    known['sample_is_whole'] = sample.isWhole;
  }
  return known;
}

/** BSON as JSON. Sizes and keys of indexes are plain numbers; what has no JSON form is written as extended JSON. */
function plain(value: unknown): Json {
  return simplify(JSON.parse(extendedJson(value)) as Json);
}

function simplify(value: Json): Json {
  if (Array.isArray(value)) return value.map(simplify);
  if (typeof value !== 'object' || value === null) return value;
  const [only, ...others] = Object.entries(value);
  if (only !== undefined && others.length === 0 && /^\$number(Int|Double|Long)$/.test(only[0])) return Number(only[1]);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, simplify(member)]));
}
