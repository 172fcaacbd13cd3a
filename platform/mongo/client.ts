import { MongoClient, type Db } from 'mongodb';
import type { Config } from '../config.ts';

export interface Mongo {
  client: MongoClient;
  db: Db;
}

/**
 * Opens MongoDB. Writes are acknowledged by the majority and journaled, so an acknowledged write survives `kill -9`.
 * Operations fail within seconds, never hang, while no primary can be found.
 */
export async function connectMongo(config: Config['mongo']): Promise<Mongo> {
  const client = new MongoClient(config.url, {
    appName: 'lily',
    writeConcern: { w: 'majority', journal: true },
    readConcern: { level: 'majority' },
    readPreference: 'primary',
    retryWrites: true,
    maxPoolSize: 50,
    serverSelectionTimeoutMS: 5_000,
    connectTimeoutMS: 5_000,
    ignoreUndefined: true,
  });
  await client.connect();
  return { client, db: client.db(config.database) };
}
