import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  defaultSampleDocuments,
  mongodbRoot,
  mongodbTarget,
  type MongodbSource,
  type MongodbTarget,
} from '#domain/ingestion/sources/mongodb.ts';
import { fullSessionBytes } from '#platform/byte-meter.ts';
import { extendedJson } from '#platform/mongo/foreign-mongo.ts';
import type { Source, SourceContext, SourcePage, SourceRecord } from '../../source.ts';
import { decodeCursor, encodeCursor } from '../shared/cursor.ts';
import { inScope, splitQualifiedName } from '../shared/names.ts';
import { permanent } from '../shared/source-error.ts';
import { readCollections, readDatabases, readEstimate, readIndexes, type Collection } from './catalog.ts';
import { NotPermitted, openMongodbSession, placeOf, readerOf, type MongodbSession } from './connection.ts';
import { collectionRecords, databaseRecord, entityTypeOf, serverRecord } from './records.ts';
import { readSample, type Sample, type SampleOptions } from './sample.ts';

/** The last database that was begun, and the last of its collections that was read. */
const cursorSchema = z.strictObject({ database: z.string(), collection: z.string() });

/** Bytes of samples that end a page, however few records were made of them. */
const pageSampleBytes = 32 * 1024 * 1024;

/** A MongoDB server as a source: its databases in the order of their names, each followed by its collections and their fields. */
export class MongodbCatalog implements Source {
  readonly #options: MongodbSource;
  readonly #target: MongodbTarget;
  readonly #context: SourceContext;
  readonly #openSession: typeof openMongodbSession;
  readonly #root: string;
  readonly #sampling: SampleOptions;
  readonly #samples = new Map<string, Promise<Sample>>();
  readonly #lists = new Map<string, Promise<Collection[] | undefined>>();
  #session: Promise<MongodbSession> | undefined;

  constructor(options: MongodbSource, context: SourceContext, openSession = openMongodbSession) {
    this.#options = options;
    this.#target = mongodbTarget(options.url);
    this.#context = context;
    this.#openSession = openSession;
    this.#root = mongodbRoot(options);
    const { sample_documents: limit = defaultSampleDocuments, sampling = 'ends' } = options;
    this.#sampling = { limit, sampling };
  }

  async check(): Promise<void> {
    const session = await this.#open();
    const databases = await this.#databases(session);
    if (databases.length === 0) {
      const says = `shows ${readerOf(this.#target)} no database that this source is to read: there is none, or it needs the role read on it`;
      throw permanent(placeOf(this.#target), says);
    }
    for (const database of databases) await this.#collections(session, database);
  }

  async fingerprint(): Promise<string> {
    const session = await this.#open();
    const hash = createHash('sha256');
    for (const database of await this.#databases(session)) {
      hash.update(JSON.stringify([database]));
      for (const collection of await this.#collections(session, database)) {
        const indexes = await this.#permitted(
          () => this.#indexes(session, database, collection),
          `list the indexes of ${database}.${collection.name}`,
        );
        hash.update(extendedJson([collection, indexes]));
      }
    }
    return hash.digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const session = await this.#open();
    const from = cursor === undefined ? undefined : decodeCursor(cursor, cursorSchema);
    const records: SourceRecord[] = from === undefined ? [serverRecord(this.#root, session.version)] : [];
    const incomplete: string[] = [];
    let sampledBytes = 0;
    for (const database of await this.#databases(session)) {
      if (from !== undefined && database < from.database) continue;
      const begun = from?.database === database;
      if (!begun) records.push(databaseRecord(this.#root, database));
      const collections = await this.#collections(await this.#roomySession(), database);
      const types = new Map(collections.map(({ name, type }) => [name, type]));
      let after = begun ? from.collection : '';
      for (const collection of collections) {
        if (!this.#readsCollection(collection.name) || collection.name <= after) continue;
        if (records.length >= pageSize || sampledBytes >= pageSampleBytes) {
          return { records, incomplete, nextCursor: encodeCursor({ database, collection: after }) };
        }
        const { facts, fault } = await this.#read(await this.#roomySession(), database, collection);
        records.push(...collectionRecords(collection, { root: this.#root, database, types, ...facts }));
        if (fault !== undefined) incomplete.push(fault);
        sampledBytes += facts.sample?.bytes ?? 0;
        after = collection.name;
      }
    }
    return { records, incomplete };
  }

  /** What a sample did not show may still be there, and what a user lost the right to see is. So each is asked for by its name. */
  async covers(entity: { entity_type: string; qualified_name: string }): Promise<boolean> {
    const [root, database, name, ...path] = splitQualifiedName(entity.qualified_name);
    if (root !== this.#root || database === undefined || !this.#readsDatabase(database)) return false;
    const session = await this.#roomySession();
    const collections = await this.#listed(session, database);
    if (collections === undefined) return false;
    if (name === undefined) return collections.length === 0;
    if (!this.#readsCollection(name)) return false;
    const collection = collections.find((one) => one.name === name);
    if (entity.entity_type !== 'field') {
      return collection === undefined || entityTypeOf(collection.type) !== entity.entity_type;
    }
    if (collection === undefined || collection.type === 'view') return true;
    const { tree, isWhole } = await this.#sampled(session, database, collection);
    return isWhole && !tree.has(path);
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
  }

  #open(): Promise<MongodbSession> {
    this.#session ??= this.#openSession(this.#target, this.#context);
    return this.#session;
  }

  /** A session that can still take a sample: many honest collections cost more than one session may. */
  async #roomySession(): Promise<MongodbSession> {
    if ((await this.#open()).bytes >= fullSessionBytes) await this.close();
    return this.#open();
  }

  #readsDatabase(name: string): boolean {
    return inScope(name, { include: this.#options.databases, exclude: this.#options.exclude_databases });
  }

  #readsCollection(name: string): boolean {
    return inScope(name, { include: this.#options.collections, exclude: this.#options.exclude_collections });
  }

  async #databases(session: MongodbSession): Promise<string[]> {
    const all = await this.#permitted(() => readDatabases(session), 'list the databases');
    return all.filter((name) => this.#readsDatabase(name));
  }

  async #collections(session: MongodbSession, database: string): Promise<Collection[]> {
    return this.#permitted(
      () => readCollections(session, database),
      `list the collections of ${database}; it needs the role read on it, or the database is to be excluded`,
    );
  }

  #indexes(session: MongodbSession, database: string, { name, type }: Collection): ReturnType<typeof readIndexes> {
    return type === 'view' ? Promise.resolve([]) : readIndexes(session, database, name);
  }

  /** What a collection's fields cannot be had of is said, and stands in nobody's way. */
  async #read(session: MongodbSession, database: string, collection: Collection) {
    const what = `${database}.${collection.name}`;
    const indexes = await this.#permitted(
      () => this.#indexes(session, database, collection),
      `list the indexes of ${what}`,
    );
    const nothing = { indexes, estimate: undefined, sample: undefined };
    if (collection.type === 'view') return { facts: nothing };
    try {
      const estimate = await readEstimate(session, database, collection);
      const sample = await readSample(session, database, collection, this.#sampling);
      return { facts: { indexes, estimate, sample } };
    } catch (error) {
      if (!(error instanceof NotPermitted)) throw error;
      return { facts: nothing, fault: `${what}: ${readerOf(this.#target)} may not read its documents (find)` };
    }
  }

  #listed(session: MongodbSession, database: string): Promise<Collection[] | undefined> {
    const known = this.#lists.get(database);
    if (known !== undefined) return known;
    const listed = readCollections(session, database).catch((error: unknown) => {
      if (error instanceof NotPermitted) return undefined;
      throw error;
    });
    this.#lists.set(database, listed);
    return listed;
  }

  /** Only a collection that was read as a whole can say that it lacks a field, so no other one is read. */
  #sampled(session: MongodbSession, database: string, collection: Collection): Promise<Sample> {
    const key = JSON.stringify([database, collection.name]);
    const sample =
      this.#samples.get(key) ?? readSample(session, database, collection, { ...this.#sampling, sampling: 'whole' });
    this.#samples.set(key, sample);
    return sample;
  }

  async #permitted<T>(work: () => Promise<T>, what: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NotPermitted)) throw error;
      throw permanent(placeOf(this.#target), `does not allow ${readerOf(this.#target)} to ${what}`, error);
    }
  }
}
