import { resolveSrv } from 'node:dns/promises';
import { BSON, MongoClient, type Document } from 'mongodb';
import type { MongodbTarget } from '#domain/ingestion/sources/mongodb.ts';
import type { ByteMeter } from '../byte-meter.ts';
import { openRelay, type Relay } from '../relay.ts';

const connectTimeoutMs = 10_000;
/** No command of ours takes longer than seconds; one that does must not hold a tenant's server. */
const commandTimeoutMs = 30_000;
const documentsAtOnce = 200;

/** A server of a tenant's, as a crawl reads it. */
export interface ForeignMongo {
  command(database: string, command: Document): Promise<Document>;
  /** Documents as they came, values of numbers with their types, with their sizes in bytes. */
  documents(query: DocumentsQuery): AsyncGenerator<{ document: Document; bytes: number }>;
  close(): Promise<void>;
}

export interface DocumentsQuery {
  database: string;
  collection: string;
  limit: number;
  /** The order to read in; without it, random documents. */
  sort?: Record<string, 1 | -1>;
}

export type ResolveService = (name: string) => Promise<{ name: string; port: number }[]>;

export interface ForeignMongoOptions {
  allowPrivate: boolean;
  meter: ByteMeter;
  resolveService?: ResolveService;
}

/**
 * Signs in to exactly the server that is named, and to no other one that it may speak of: the driver sees a single server at the
 * relay's end. Reads are allowed on a secondary. Throws what the driver, the network or the address guard says.
 */
export async function openForeignMongo(
  target: MongodbTarget,
  { allowPrivate, meter, resolveService = resolveSrv }: ForeignMongoOptions,
): Promise<ForeignMongo> {
  const places = target.isService ? await resolveService(`_mongodb._tcp.${target.host}`) : [];
  const servers = target.isService ? places.map(({ name, port }) => ({ host: name, port })) : [target];
  let failure: unknown = new Error('the service names no server');
  for (const { host, port } of servers) {
    try {
      const relay = await openRelay({ host, port, allowPrivate, tls: target.tls }, meter, connectTimeoutMs);
      return await signIn(target, relay, meter);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function signIn(target: MongodbTarget, relay: Relay, meter: ByteMeter): Promise<ForeignMongo> {
  const { user, password, authSource, authMechanism } = target;
  const client = new MongoClient(`mongodb://127.0.0.1:${relay.port}/`, {
    ...(user === '' ? {} : { auth: { username: user, password }, authSource }),
    ...(user === '' || authMechanism === undefined ? {} : { authMechanism }),
    appName: 'lily',
    directConnection: true,
    readPreference: 'secondaryPreferred',
    retryReads: false,
    retryWrites: false,
    maxPoolSize: 1,
    serverSelectionTimeoutMS: connectTimeoutMs,
    connectTimeoutMS: connectTimeoutMs,
    socketTimeoutMS: commandTimeoutMs + 5_000,
  });
  const close = async (): Promise<void> => {
    await client.close().catch(() => undefined);
    await relay.close();
  };
  meter.whenExceeded(() => void close());
  try {
    await client.connect();
    await client.db('admin').command({ ping: 1 });
  } catch (error) {
    const reason = relay.failure() ?? error;
    await close();
    throw reason;
  }
  return {
    command(database, command) {
      meter.beginAnswer();
      return client.db(database).command({ ...command, maxTimeMS: commandTimeoutMs });
    },
    async *documents({ database, collection, limit, sort }) {
      meter.beginAnswer();
      const options = { promoteValues: false, maxTimeMS: commandTimeoutMs, batchSize: documentsAtOnce } as const;
      const from = client.db(database).collection(collection);
      const cursor =
        sort === undefined
          ? from.aggregate([{ $sample: { size: limit } }], options)
          : from.find({}, { ...options, sort, limit });
      try {
        for await (const document of cursor) yield { document, bytes: BSON.calculateObjectSize(document) };
      } finally {
        await cursor.close();
      }
    },
    close,
  };
}

/** A BSON value as text that says its types, the same for equal values. */
export function extendedJson(value: unknown): string {
  return BSON.EJSON.stringify(value, { relaxed: false });
}
