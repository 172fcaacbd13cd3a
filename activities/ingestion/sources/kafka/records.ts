import type { Attributes, Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { ForeignTopic } from '#platform/kafka/foreign-kafka.ts';
import type { SourceRecord } from '../../source.ts';
import { fieldRecord } from '../shared/field-record.ts';
import type { Field } from '../shared/field-tree.ts';
import { qualifiedName } from '../shared/names.ts';
import type { AvroField } from './avro-fields.ts';
import type { Side, TopicSample } from './sample.ts';

/** Settings of a topic that say how long and how its records are kept, and the attributes that hold them. */
export const keptSettings = {
  'cleanup.policy': 'cleanup_policy',
  'retention.ms': 'retention_ms',
  'retention.bytes': 'retention_bytes',
  'max.message.bytes': 'max_message_bytes',
  'min.insync.replicas': 'min_insync_replicas',
  'compression.type': 'compression_type',
} as const;

export function clusterRecord(root: string): SourceRecord {
  return {
    entity_type: 'cluster',
    qualified_name: qualifiedName(root),
    attributes: { name: root, engine: 'Kafka' },
  };
}

/** The topic, followed by what its keys and values are made of. */
export function topicRecords(
  root: string,
  topic: ForeignTopic,
  settings: ReadonlyMap<string, string> | undefined,
  sample: TopicSample | undefined,
): SourceRecord[] {
  const self = { entity_type: 'topic', qualified_name: qualifiedName(root, topic.name) };
  const attributes: Attributes = {
    name: topic.name,
    partitions: topic.partitions,
    replication_factor: topic.replicas,
  };
  for (const [setting, attribute] of Object.entries(keptSettings)) {
    const value = settings?.get(setting);
    if (value !== undefined) attributes[attribute] = /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  }
  const record: SourceRecord = {
    ...self,
    attributes,
    parent: { entity_type: 'cluster', qualified_name: qualifiedName(root) },
    ...(sample === undefined
      ? {}
      : { statistics: { records_sampled: sample.records, sample_is_whole: sample.isWhole } }),
  };
  const sides =
    sample === undefined
      ? []
      : ([
          ['key', sample.key],
          ['value', sample.value],
        ] as const);
  return [record, ...sides.flatMap(([name, side]) => sideRecords([root, topic.name], self, name, side))];
}

function sideRecords(
  parts: readonly string[],
  topic: { entity_type: string; qualified_name: string },
  name: 'key' | 'value',
  side: Side,
): SourceRecord[] {
  const documents = [...side.formats.values()].reduce((sum, times) => sum + times, 0);
  if (documents === 0) return [];
  const isKeyless = side.formats.size === 1 && side.formats.has('null');
  if (name === 'key' && isKeyless) return [];
  const itself: Field = { path: [name], types: side.formats, itemTypes: new Map(), documents };
  const schema: Record<string, Json> =
    side.schema === undefined ? {} : { data_type: side.schema.name, schema_id: side.schema.id };
  const record = fieldRecord(topic, parts, itself, schema);
  if (record === undefined) return [];
  const owner = { entity_type: 'field', qualified_name: record.qualified_name };
  return [
    record,
    ...memberFields(side).flatMap(({ field, more }) => fieldRecord(owner, [...parts, name], field, more) ?? []),
  ];
}

/** Fields of the schemas and of the documents, parents first. */
function memberFields({ tree, avro }: Side): { field: Field; more: Record<string, Json> }[] {
  const seen = [...tree.fields()].map((field) => ({ field, more: attributesOf(avro.get(JSON.stringify(field.path))) }));
  const stated = [...avro.values()]
    .filter(({ path }) => !tree.has(path))
    .map((field) => ({
      field: { path: field.path, types: new Map<string, number>(), itemTypes: new Map<string, number>(), documents: 0 },
      more: attributesOf(field),
    }));
  return [...seen, ...stated];
}

function attributesOf(field: AvroField | undefined): Record<string, Json> {
  if (field === undefined) return {};
  const { type, nullable, doc } = field;
  return {
    data_type: type,
    nullable,
    ...(doc === undefined ? {} : { description: doc.slice(0, limits.descriptionLength) }),
  };
}
