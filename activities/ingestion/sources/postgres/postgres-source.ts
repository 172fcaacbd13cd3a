import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LilyError } from '#domain/errors.ts';
import { postgresTarget, type PostgresSource } from '#domain/ingestion/sources/postgres.ts';
import type { Source, SourceContext, SourcePage, SourceRecord } from '../../source.ts';
import { readDatabase, readRelations, readSchemas, scopeValues } from './catalog.ts';
import { openSession, type Session } from './connection.ts';
import { readFingerprint } from './fingerprint.ts';
import { matchesPattern, splitQualifiedName } from '../shared/names.ts';
import { relationRecords } from './page.ts';
import { databaseRecord, schemaRecord } from './relation-record.ts';

/** Where a page begins: after this schema, or after this relation. */
const cursorSchema = z.union([
  z.strictObject({ schema: z.string() }),
  z.strictObject({ relation: z.tuple([z.string(), z.string()]) }),
]);
type Cursor = z.infer<typeof cursorSchema>;

const systemSchemas: readonly string[] = ['pg_catalog', 'information_schema'];

/**
 * A PostgreSQL database as a source: its schemas, tables, views and columns in the order of their names, schemas first.
 * See README.md in this folder for what is read and how lineage is found.
 */
export class PostgresCatalog implements Source {
  readonly #options: PostgresSource;
  readonly #context: SourceContext;
  /** First part of every qualified name. */
  readonly #root: string;
  #session: Promise<Session> | undefined;

  constructor(options: PostgresSource, context: SourceContext) {
    this.#options = options;
    this.#context = context;
    this.#root = options.name ?? postgresTarget(options.url).database;
  }

  async check(): Promise<void> {
    await this.#open();
  }

  async fingerprint(): Promise<string> {
    const line = await readFingerprint(await this.#open(), scopeValues(this.#options));
    return createHash('sha256').update(line).digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const session = await this.#open();
    const from = cursor === undefined ? undefined : decodeCursor(cursor);
    const records: SourceRecord[] = [];
    if (from === undefined) records.push(...(await this.#database(session)));
    if (from === undefined || 'schema' in from) {
      const after = from === undefined ? '' : from.schema;
      const schemas = await readSchemas(session, scopeValues(this.#options), after, pageSize);
      records.push(...schemas.map((schema) => schemaRecord(this.#root, schema)));
      const last = schemas.at(-1);
      if (schemas.length === pageSize && last) return { records, nextCursor: encodeCursor({ schema: last.name }) };
    }
    const after = from !== undefined && 'relation' in from ? from.relation : (['', ''] as const);
    const budget = Math.max(1, pageSize - records.length);
    const relations = await readRelations(session, scopeValues(this.#options), after, budget);
    records.push(...(await relationRecords(session, this.#root, relations)));
    const last = relations.at(-1);
    const complete = last === undefined || (last.candidates < budget && relations.length === last.candidates);
    return complete ? { records } : { records, nextCursor: encodeCursor({ relation: [last.schema, last.name] }) };
  }

  covers({ qualified_name }: { entity_type: string; qualified_name: string }): boolean {
    const [root, schema] = splitQualifiedName(qualified_name);
    if (root !== this.#root) return false;
    if (schema === undefined) return true;
    if (systemSchemas.includes(schema) && this.#options.include_system !== true) return false;
    return this.#options.schemas?.some((pattern) => matchesPattern(schema, pattern)) ?? true;
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
  }

  #open(): Promise<Session> {
    this.#session ??= openSession(this.#options.url, this.#context);
    return this.#session;
  }

  async #database(session: Session): Promise<SourceRecord[]> {
    const database = await readDatabase(session);
    return database === undefined ? [] : [databaseRecord(this.#root, database)];
  }
}

function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function decodeCursor(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new LilyError('invalid-input', 'The cursor was not made by this source.', { cause });
  }
}
