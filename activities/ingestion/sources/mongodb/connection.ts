import type { LilyError } from '#domain/errors.ts';
import type { MongodbTarget } from '#domain/ingestion/sources/mongodb.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { openForeignMongo, type ForeignMongo } from '#platform/mongo/foreign-mongo.ts';
import type { SourceContext } from '../../source.ts';
import { passing, permanent, unreachable, type Place } from '../shared/source-error.ts';

/** The document of a command or of its answer. */
type Document = Record<string, unknown>;

const unauthorized = 13;
const needsLogin = [13, 18];

/** A server that only reads are sent to. Every failure is a LilyError. */
export interface MongodbSession {
  command(database: string, command: Document): Promise<Document>;
  documents: ForeignMongo['documents'];
  /** Every item of a command that answers with a cursor: `listCollections`, `listIndexes`. */
  list(database: string, command: Document): Promise<Document[]>;
  version: string;
  /** Bytes that the server has sent in this session so far. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** The user may not do this. What it may not, the message says. */
export class NotPermitted extends Error {}

const mostItems = 100_000;

/** Signs in. @throws LilyError `source-unreachable` or `source-refused` */
export async function openMongodbSession(target: MongodbTarget, context: SourceContext): Promise<MongodbSession> {
  const meter = new ByteMeter();
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asMongodbError(error, target, meter);
    }
  };
  const server = await guard(() => openForeignMongo(target, { allowPrivate: context.allowPrivate, meter }));
  const command = async (database: string, one: Document): Promise<Document> =>
    guard(() => server.command(database, one));
  const list = async (database: string, one: Document): Promise<Document[]> => {
    let { cursor } = (await command(database, one)) as unknown as { cursor: Page };
    const items = [...(cursor.firstBatch ?? [])];
    while (!isZero(cursor.id)) {
      if (items.length > mostItems) throw permanent(placeOf(target), `lists more than ${mostItems} things at once`);
      const collection = cursor.ns.slice(cursor.ns.indexOf('.') + 1);
      ({ cursor } = (await command(database, { getMore: cursor.id, collection })) as unknown as { cursor: Page });
      items.push(...(cursor.nextBatch ?? []));
    }
    return items;
  };
  async function* documents(query: Parameters<ForeignMongo['documents']>[0]): ReturnType<ForeignMongo['documents']> {
    try {
      yield* server.documents(query);
    } catch (error) {
      throw asMongodbError(error, target, meter);
    }
  }
  try {
    const { version } = await command('admin', { buildInfo: 1 });
    if (typeof version !== 'string' || Number.parseInt(version, 10) < 5) {
      throw permanent(placeOf(target), `is MongoDB ${String(version)}; 5 or later is needed`);
    }
    return {
      command,
      documents,
      list,
      version,
      get bytes() {
        return meter.bytes;
      },
      close: () => server.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

interface Page {
  id: unknown;
  ns: string;
  firstBatch?: Document[];
  nextBatch?: Document[];
}

function isZero(id: unknown): boolean {
  return String(id) === '0';
}

export function placeOf({ host, port, isService, password }: MongodbTarget): Place {
  return { place: isService ? host : `${host}:${port}`, secrets: [password] };
}

/** Who reads, for people. */
export function readerOf({ user }: MongodbTarget): string {
  return user === '' ? 'nobody who has not signed in' : `the user ${user}`;
}

function asMongodbError(error: unknown, target: MongodbTarget, meter: ByteMeter): LilyError | NotPermitted {
  const at = placeOf(target);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : '';
  if (code === unauthorized && meter.exceeded === undefined) return new NotPermitted(message, { cause: error });
  if (needsLogin.includes(Number(code)) || message.includes('Authentication failed')) {
    return permanent(
      at,
      `does not let the user ${target.user} in with that password (authSource ${target.authSource})`,
    );
  }
  if (message.includes('querySrv')) return passing(at, 'is not a service that DNS knows (SRV)', error);
  return unreachable(error, at, meter);
}
