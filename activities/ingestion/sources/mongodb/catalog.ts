import { extendedJson } from '#platform/mongo/foreign-mongo.ts';
import { byCodeUnit } from '../shared/names.ts';
import type { MongodbSession } from './connection.ts';

/** What the server keeps for itself. */
const systemDatabases = ['admin', 'config', 'local'];

export type CollectionType = 'collection' | 'view' | 'timeseries';

export interface Collection {
  name: string;
  type: CollectionType;
  options: Record<string, unknown>;
  /** Changes when the collection is dropped and made anew. */
  uuid: string;
}

export interface Index {
  name: string;
  key: Record<string, unknown>;
  [option: string]: unknown;
}

/** Names of the databases that the user may see, in order. */
export async function readDatabases(session: MongodbSession): Promise<string[]> {
  const answer = await session.command('admin', { listDatabases: 1, nameOnly: true });
  const databases = answer['databases'] as { name: string }[];
  return databases
    .map(({ name }) => name)
    .filter((name) => !systemDatabases.includes(name))
    .sort(byCodeUnit);
}

/** Collections and views of a database in the order of their names; those of the server's own left out. */
export async function readCollections(session: MongodbSession, database: string): Promise<Collection[]> {
  const found = await session.list(database, { listCollections: 1 });
  return found
    .map(({ name, type, options, info }) => ({
      name: String(name),
      type: (type ?? 'collection') as CollectionType,
      options: (options ?? {}) as Record<string, unknown>,
      uuid: extendedJson((info as { uuid?: unknown } | undefined)?.uuid ?? null),
    }))
    .filter(({ name }) => !name.startsWith('system.'))
    .sort((a, b) => byCodeUnit(a.name, b.name));
}

export async function readIndexes(session: MongodbSession, database: string, collection: string): Promise<Index[]> {
  const found = (await session.list(database, { listIndexes: collection })) as Index[];
  return found.map(({ v: _version, ns: _namespace, ...index }) => index).sort((a, b) => byCodeUnit(a.name, b.name));
}

/** How many documents there are, as the server remembers it; undefined where it would have to count. */
export async function readEstimate(
  session: MongodbSession,
  database: string,
  { name, type }: Collection,
): Promise<number | undefined> {
  if (type !== 'collection') return undefined;
  const { n } = await session.command(database, { count: name });
  return typeof n === 'number' ? n : undefined;
}
