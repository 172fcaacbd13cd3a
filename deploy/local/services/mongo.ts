import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stackAddresses } from '../environment.ts';
import { isProvisioned } from '../provision/artefact.ts';
import { MONGOD, mongodb, provisionMongodb } from '../provision/mongodb.ts';
import { pythonTool } from '../provision/tools.ts';
import type { Service, StackContext } from './service.ts';

const REPLICA_SET = 'rs0';
const TIMEOUT_MS = 2000;
const NOT_YET_INITIALIZED = 94;

export const mongo: Service = {
  name: 'mongo',
  title: 'MongoDB',
  after: [],
  ports: ['mongo'],
  tools: async () => (isProvisioned(mongodb) ? [] : [pythonTool()]),
  provision: provisionMongodb,
  async plan({ paths, ports }) {
    const data = join(paths.data, 'mongo');
    mkdirSync(data, { recursive: true });
    return {
      command: MONGOD(),
      // prettier-ignore
      args: ['--dbpath', data, '--port', String(ports.mongo), '--bind_ip', '127.0.0.1', '--nounixsocket',
        '--replSet', REPLICA_SET, '--wiredTigerCacheSizeGB', '0.5', '--oplogSize', '512',
        '--setParameter', 'diagnosticDataCollectionEnabled=false'],
      cwd: data,
    };
  },
  settle: settleReplicaSet,
  async check(context) {
    await withAdmin(context, async (command) => {
      const hello = await command({ hello: 1 });
      if (hello['isWritablePrimary'] !== true) throw new Error('has no primary yet');
    });
  },
  address: (context) => stackAddresses(context).mongo,
  startTimeoutMs: 60_000,
  graceMs: 20_000,
};

type Command = (command: Record<string, unknown>) => Promise<Record<string, unknown>>;

/** Makes the single server a replica set, and follows it when the stack was moved to other ports. */
async function settleReplicaSet(context: StackContext): Promise<void> {
  const host = `127.0.0.1:${context.ports.mongo}`;
  await withAdmin(context, async (command) => {
    let config: Record<string, unknown>;
    try {
      config = (await command({ replSetGetConfig: 1 }))['config'] as Record<string, unknown>;
    } catch (error) {
      if ((error as { code?: unknown }).code !== NOT_YET_INITIALIZED) throw error;
      await command({ replSetInitiate: { _id: REPLICA_SET, members: [{ _id: 0, host }] } });
      return;
    }
    const [member] = config['members'] as Record<string, unknown>[];
    if (member === undefined || member['host'] === host) return;
    const version = Number(config['version']) + 1;
    await command({ replSetReconfig: { ...config, version, members: [{ ...member, host }] }, force: true });
  });
}

async function withAdmin(context: StackContext, work: (command: Command) => Promise<void>): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(`mongodb://127.0.0.1:${context.ports.mongo}/?directConnection=true`, {
    serverSelectionTimeoutMS: TIMEOUT_MS,
    connectTimeoutMS: TIMEOUT_MS,
    socketTimeoutMS: 5 * TIMEOUT_MS,
  });
  try {
    await client.connect();
    await work((command) => client.db('admin').command(command));
  } finally {
    await client.close();
  }
}
