import { LilyError } from '#domain/errors.ts';
import { fitsWhole } from '#platform/kafka/latest-records.ts';
import { FieldTree } from '../shared/field-tree.ts';
import { jsonKind } from '../shared/json-kind.ts';
import { avroFields, avroName, type AvroField } from './avro-fields.ts';
import type { KafkaSession } from './connection.ts';
import type { RegisteredSchema, SchemaRegistry } from './schema-registry.ts';

const sampleBytes = 8 * 1024 * 1024;
const sampleTimeMs = 15_000;
/** The wire format of Confluent: a zero, the number of the schema in four bytes, then the record. */
const frameBytes = 5;

/** What was found in the keys, or in the values, of some records. */
export interface Side {
  /** How many had which form: `json`, `avro`, `text`, `binary`, `null`, … */
  formats: Map<string, number>;
  /** Members of the documents among them. */
  tree: FieldTree;
  /** Fields of the Avro schemas, by their paths; a newer schema's word counts. */
  avro: Map<string, AvroField>;
  /** The newest of the Avro schemas. */
  schema: { id: number; name: string } | undefined;
}

export interface TopicSample {
  records: number;
  /** Bytes of their keys and values. */
  bytes: number;
  key: Side;
  value: Side;
  /** Whether these were all records of the topic, and all of them were understood. */
  isWhole: boolean;
  /** Why a schema could not be had, if one could not. */
  fault: string | undefined;
}

/** Looks at the last records of a topic; with `onlyWhole`, at none of a topic that has more than these. */
export async function readTopicSample(
  session: KafkaSession,
  registry: SchemaRegistry | undefined,
  topic: string,
  { limit, onlyWhole }: { limit: number; onlyWhole: boolean },
): Promise<TopicSample> {
  const [key, value] = [newSide(), newSide()];
  const nothing: TopicSample = { records: 0, bytes: 0, key, value, isWhole: false, fault: undefined };
  if (limit === 0) return nothing;
  const offsets = await session.offsets(topic);
  if (onlyWhole && !fitsWhole(offsets, limit)) return nothing;
  let latest: Awaited<ReturnType<KafkaSession['latest']>>;
  try {
    latest = await session.latest(topic, { offsets, limit, bytes: sampleBytes, timeMs: sampleTimeMs });
  } catch (error) {
    // Packed in a way that is not understood here, or into far more than it was: the topic is there, and says so.
    if (
      !(error instanceof LilyError) ||
      !/compression not implemented|larger than|compressed data/i.test(error.message)
    )
      throw error;
    count(value.formats, 'unreadable');
    return nothing;
  }
  let fault: string | undefined;
  for (const record of latest.records) {
    for (const [side, bytes] of [
      [key, record.key],
      [value, record.value],
    ] as const) {
      try {
        await look(side, bytes, registry);
      } catch (error) {
        if (!(error instanceof LilyError)) throw error;
        fault ??= error.message;
        count(side.formats, 'unknown schema');
      }
    }
  }
  const understood = [key, value].every(({ tree, formats }) => !tree.isCut && !formats.has('unknown schema'));
  const bytes = latest.records.reduce(
    (sum, record) => sum + (record.key?.length ?? 0) + (record.value?.length ?? 0),
    0,
  );
  return { records: latest.records.length, bytes, key, value, isWhole: latest.isWhole && understood, fault };
}

async function look(side: Side, bytes: Buffer | null, registry: SchemaRegistry | undefined): Promise<void> {
  if (bytes === null) return count(side.formats, 'null');
  if (bytes.length === 0) return count(side.formats, 'empty');
  if (registry !== undefined && bytes[0] === 0 && bytes.length >= frameBytes) {
    const id = bytes.readUInt32BE(1);
    const registered = await registry.schema(id);
    if (registered !== undefined) return lookFramed(side, bytes.subarray(frameBytes), id, registered);
  }
  lookPlain(side, bytes);
}

function lookFramed(side: Side, bytes: Buffer, id: number, { type, schema }: RegisteredSchema): void {
  if (type === 'JSON') return lookPlain(side, bytes);
  count(side.formats, type.toLowerCase());
  if (type !== 'AVRO' || side.schema?.id === id) return;
  const isNewer = side.schema === undefined || id > side.schema.id;
  if (isNewer) side.schema = { id, name: avroName(schema) };
  for (const field of avroFields(schema)) {
    const path = JSON.stringify(field.path);
    if (isNewer || !side.avro.has(path)) side.avro.set(path, field);
  }
}

function lookPlain(side: Side, bytes: Buffer): void {
  const text = decode(bytes);
  if (text === undefined) return count(side.formats, 'binary');
  const document = parse(text);
  // A number or a bare string is JSON by accident as often as not.
  if (typeof document !== 'object' || document === null) return count(side.formats, 'text');
  count(side.formats, 'json');
  side.tree.add(document);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Buffer): string | undefined {
  try {
    const text = utf8.decode(bytes);
    return text.includes('\u0000') ? undefined : text;
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function newSide(): Side {
  return { formats: new Map(), tree: new FieldTree(jsonKind), avro: new Map(), schema: undefined };
}

function count(formats: Map<string, number>, format: string): void {
  formats.set(format, (formats.get(format) ?? 0) + 1);
}
