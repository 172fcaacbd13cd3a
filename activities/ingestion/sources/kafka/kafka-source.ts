import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LilyError } from '#domain/errors.ts';
import { defaultSampleRecords, kafkaRoot, type KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { fullSessionBytes } from '#platform/byte-meter.ts';
import type { ForeignTopic } from '#platform/kafka/foreign-kafka.ts';
import type { Source, SourceContext, SourcePage, SourceRecord } from '../../source.ts';
import { decodeCursor, encodeCursor } from '../shared/cursor.ts';
import { byCodeUnit, inScope, splitQualifiedName } from '../shared/names.ts';
import { permanent } from '../shared/source-error.ts';
import { NotPermitted, openKafkaSession, placeOf, readerOf, type KafkaSession } from './connection.ts';
import { clusterRecord, keptSettings, topicRecords } from './records.ts';
import { readTopicSample, type TopicSample } from './sample.ts';
import { SchemaRegistry } from './schema-registry.ts';

/** The last topic that was read. */
const cursorSchema = z.strictObject({ topic: z.string() });

const topicsAtOnce = 50;
/** Bytes of samples that end a page, however few records were made of them. */
const pageSampleBytes = 32 * 1024 * 1024;

/** A Kafka cluster as a source: its topics in the order of their names, each followed by what its records are made of. */
export class KafkaCatalog implements Source {
  readonly #options: KafkaSource;
  readonly #context: SourceContext;
  readonly #openSession: typeof openKafkaSession;
  readonly #root: string;
  readonly #registry: SchemaRegistry | undefined;
  readonly #samples = new Map<string, Promise<TopicSample>>();
  readonly #lookUps = new Map<string, ReturnType<KafkaSession['lookUp']>>();
  #session: Promise<KafkaSession> | undefined;

  constructor(options: KafkaSource, context: SourceContext, openSession = openKafkaSession) {
    this.#options = options;
    this.#context = context;
    this.#openSession = openSession;
    this.#root = kafkaRoot(options);
    const { schema_registry: registry } = options;
    this.#registry = registry === undefined ? undefined : new SchemaRegistry(registry, context);
  }

  async check(): Promise<void> {
    const session = await this.#open();
    await this.#registry?.check();
    if ((await this.#topics(session)).length > 0) return;
    const says = `shows ${readerOf(this.#options)} no topic that this source is to read: there is none, or it needs DESCRIBE and READ on it`;
    throw permanent(placeOf(this.#options), says);
  }

  /** Of the topics and their settings. Fields are found in the records, and a field is proven gone before it is deleted. */
  async fingerprint(): Promise<string> {
    const session = await this.#open();
    const topics = await this.#topics(session);
    const settings = await session.settings(topics.map(({ name }) => name));
    const hash = createHash('sha256');
    for (const topic of topics) {
      const kept = Object.keys(keptSettings).map((setting) => settings.get(topic.name)?.get(setting) ?? null);
      hash.update(JSON.stringify([topic.name, topic.partitions, topic.replicas, kept]));
    }
    return hash.digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const session = await this.#open();
    const from = cursor === undefined ? undefined : decodeCursor(cursor, cursorSchema);
    const records: SourceRecord[] = from === undefined ? [clusterRecord(this.#root)] : [];
    const incomplete: string[] = [];
    const all = await this.#topics(session);
    const topics = all.filter(({ name }) => from === undefined || name > from.topic);
    const progress = (left: number) => ({ done: all.length - left, total: all.length });
    let last = from?.topic;
    let sampledBytes = 0;
    for (let first = 0; first < topics.length; first += topicsAtOnce) {
      const some = topics.slice(first, first + topicsAtOnce);
      const settings = await (await this.#roomySession()).settings(some.map(({ name }) => name));
      for (const [at, topic] of some.entries()) {
        if ((records.length >= pageSize || sampledBytes >= pageSampleBytes) && last !== undefined) {
          const left = topics.length - first - at;
          return { records, incomplete, progress: progress(left), nextCursor: encodeCursor({ topic: last }) };
        }
        const ownSettings = settings.get(topic.name);
        if (ownSettings === undefined) incomplete.push(this.#notPermitted(topic, 'DESCRIBE_CONFIGS'));
        const sample = await this.#sample(topic.name, false).catch((error: unknown) => {
          if (!(error instanceof NotPermitted)) throw error;
          incomplete.push(this.#notPermitted(topic, 'READ'));
          return undefined;
        });
        if (sample?.fault !== undefined) incomplete.push(`topic ${topic.name}: ${sample.fault}`);
        records.push(...topicRecords(this.#root, topic, ownSettings, sample));
        last = topic.name;
        sampledBytes += sample?.bytes ?? 0;
      }
    }
    return { records, incomplete, progress: progress(0) };
  }

  /** A cluster lists only the topics that a user may see, and a sample is not all; so what is missing is asked for by its name. */
  async covers({ entity_type, qualified_name }: { entity_type: string; qualified_name: string }): Promise<boolean> {
    const [root, topic, side, ...path] = splitQualifiedName(qualified_name);
    if (root !== this.#root || topic === undefined || !this.#reads(topic)) return false;
    const session = await this.#roomySession();
    const known = this.#lookUps.get(topic) ?? session.lookUp(topic);
    this.#lookUps.set(topic, known);
    const found = await known;
    if (found !== 'there' || entity_type !== 'field') return found === 'absent';
    const sample = await this.#sampled(topic).catch((error: unknown) => {
      if (error instanceof NotPermitted || error instanceof LilyError) return undefined;
      throw error;
    });
    if (sample === undefined || !sample.isWhole || (side !== 'key' && side !== 'value')) return false;
    const { tree, avro, formats } = sample[side];
    if (path.length === 0) return formats.size === 0;
    return !tree.has(path) && !avro.has(JSON.stringify(path));
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
  }

  #open(): Promise<KafkaSession> {
    this.#session ??= this.#openSession(this.#options, this.#context);
    return this.#session;
  }

  /** A session that can still take a sample: many honest topics cost more than one session may. */
  async #roomySession(): Promise<KafkaSession> {
    if ((await this.#open()).bytes >= fullSessionBytes) await this.close();
    return this.#open();
  }

  #reads(topic: string): boolean {
    if (topic.startsWith('__') && this.#options.include_internal !== true) return false;
    return inScope(topic, { include: this.#options.topics, exclude: this.#options.exclude_topics });
  }

  async #topics(session: KafkaSession): Promise<ForeignTopic[]> {
    const [all, cluster, own] = await Promise.all([
      session.topics(),
      session.clusterId(),
      this.#context.ownKafkaCluster(),
    ]);
    // Lily's own topics hold what all tenants sent: no source reads them.
    const isOpen = (name: string): boolean => cluster !== own || !/^(lily\.|__)/.test(name);
    return all.filter(({ name }) => isOpen(name) && this.#reads(name)).sort((a, b) => byCodeUnit(a.name, b.name));
  }

  /** Only a topic that was read as a whole can say that it lacks a field, so no other one is read. */
  #sampled(topic: string): Promise<TopicSample> {
    const sample = this.#samples.get(topic) ?? this.#sample(topic, true);
    this.#samples.set(topic, sample);
    return sample;
  }

  async #sample(topic: string, onlyWhole: boolean): Promise<TopicSample> {
    const limit = this.#options.sample_records ?? defaultSampleRecords;
    return readTopicSample(await this.#roomySession(), this.#registry, topic, { limit, onlyWhole });
  }

  #notPermitted({ name }: ForeignTopic, operation: string): string {
    return `topic ${name}: ${readerOf(this.#options)} needs ${operation} on it`;
  }
}
