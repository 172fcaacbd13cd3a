import { createHash } from 'node:crypto';
import { z } from 'zod';
import { mysqlRoot, mysqlTarget, type MysqlSource, type MysqlTarget } from '#domain/ingestion/sources/mysql.ts';
import type { Source, SourceContext, SourcePage, SourceRecord } from '../../source.ts';
import { decodeCursor, encodeCursor } from '../shared/cursor.ts';
import { byCodeUnit, inScope, splitQualifiedName } from '../shared/names.ts';
import { permanent } from '../shared/source-error.ts';
import { Absence } from './absence.ts';
import { readDatabases, readRelationSizes, type DatabaseRow } from './catalog.ts';
import { openMysqlSession, type MysqlSession } from './connection.ts';
import { placeOf } from './failures.ts';
import { readFingerprint } from './fingerprint.ts';
import { readRelationRecords } from './page.ts';
import { databaseRecord, serverRecord } from './records.ts';

/** The last database that was begun, and the last of its relations that was read. */
const cursorSchema = z.strictObject({ database: z.string(), relation: z.string() });

/** A MySQL or MariaDB server as a source: its databases in the order of their names, each followed by what is in it. */
export class MysqlCatalog implements Source {
  readonly #options: MysqlSource;
  readonly #target: MysqlTarget;
  readonly #context: SourceContext;
  readonly #root: string;
  #session: Promise<MysqlSession> | undefined;
  #absence: Absence | undefined;

  constructor(options: MysqlSource, context: SourceContext) {
    this.#options = options;
    this.#target = mysqlTarget(options.url);
    this.#context = context;
    this.#root = mysqlRoot(options);
  }

  async check(): Promise<void> {
    const databases = await this.#databases(await this.#open());
    if (databases.length > 0) return;
    const { user, path } = this.#target;
    const what = path !== '' ? `the database ${path}` : 'any database that this source is to read';
    throw permanent(
      placeOf(this.#target),
      `does not show the user ${user} ${what}: it does not exist, or the user needs a grant for it (SELECT, SHOW VIEW)`,
    );
  }

  async fingerprint(): Promise<string> {
    const session = await this.#open();
    const databases = await this.#databases(session);
    const line = databases.length === 0 ? '' : await readFingerprint(session, databases.map(nameOf));
    return createHash('sha256').update(line).digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const session = await this.#open();
    const from = cursor === undefined ? undefined : decodeCursor(cursor, cursorSchema);
    const records: SourceRecord[] = from === undefined ? [serverRecord(this.#root, session.server)] : [];
    const databases = await this.#databases(session);
    for (const database of databases) {
      if (from !== undefined && database.name < from.database) continue;
      const begun = from?.database === database.name;
      if (!begun) records.push(databaseRecord(this.#root, database));
      let after = begun ? from.relation : '';
      for (let complete = false; !complete;) {
        const budget = Math.max(1, pageSize - records.length);
        const { names, isLast } = await this.#nextRelations(session, database.name, after, budget);
        records.push(...(await readRelationRecords(session, this.#root, database.name, names)));
        after = names.at(-1) ?? after;
        complete = isLast;
        if (records.length < pageSize) continue;
        if (complete && database === databases.at(-1)) return { records };
        return { records, nextCursor: encodeCursor({ database: database.name, relation: after }) };
      }
    }
    return { records };
  }

  async covers(entity: { entity_type: string; qualified_name: string }): Promise<boolean> {
    const [root, database] = splitQualifiedName(entity.qualified_name);
    if (root !== this.#root || database === undefined || !this.#reads(database)) return false;
    this.#absence ??= new Absence(await this.#open());
    return this.#absence.isProven(entity);
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
  }

  #open(): Promise<MysqlSession> {
    this.#session ??= openMysqlSession(this.#target, this.#context);
    return this.#session;
  }

  #reads(database: string): boolean {
    const { path } = this.#target;
    if (path !== '' && database !== path) return false;
    return inScope(database, { include: this.#options.databases, exclude: this.#options.exclude_databases });
  }

  async #databases(session: MysqlSession): Promise<DatabaseRow[]> {
    const all = await readDatabases(session);
    return all.filter(({ name }) => this.#reads(name)).sort((a, b) => byCodeUnit(a.name, b.name));
  }

  /** Whole relations, until about `budget` entities are reached; at least one if there is one. */
  async #nextRelations(
    session: MysqlSession,
    database: string,
    after: string,
    budget: number,
  ): Promise<{ names: string[]; isLast: boolean }> {
    const candidates = await readRelationSizes(session, database, after, budget);
    const names: string[] = [];
    let entities = 0;
    for (const { name, width } of candidates) {
      if (entities >= budget) break;
      names.push(name);
      entities += 1 + width;
    }
    return { names, isLast: names.length === candidates.length && candidates.length < budget };
  }
}

function nameOf({ name }: DatabaseRow): string {
  return name;
}
