import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { taskProgress } from '#deploy/local/progress.ts';
import { MONGOD, provisionMongodb } from '#deploy/local/provision/mongodb.ts';
import { freePort } from './place.ts';

/** A MongoDB server of the tests' own that lets in only whom it knows: the stack's lets everybody in. */
export interface MongodbServer {
  port: number;
  /** Signed in as somebody who may do everything. */
  admin: MongoClient;
  url: string;
  /** Makes a user with these roles, and gives the URL that signs in as it. */
  user(name: string, roles: { role: string; db: string }[]): Promise<string>;
  stop(): Promise<void>;
}

const account = { username: 'lily', password: 'pass:word/with@signs' };

export async function startMongodb(): Promise<MongodbServer> {
  await provisionMongodb(taskProgress('mongodb', () => undefined));
  const folder = await mkdtemp(join(tmpdir(), 'lily-mongodb-'));
  const port = await freePort();
  const child = spawn(
    MONGOD(),
    // prettier-ignore
    ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--auth',
      '--wiredTigerCacheSizeGB', '0.25', '--setParameter', 'diagnosticDataCollectionEnabled=false'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const address = `mongodb://127.0.0.1:${port}/?directConnection=true`;
  // The first user may be made by whoever comes from this machine.
  const nobody = new MongoClient(address, { serverSelectionTimeoutMS: 30_000 });
  await nobody.db('admin').command({ createUser: account.username, pwd: account.password, roles: ['root'] });
  await nobody.close();
  const admin = await new MongoClient(address, { auth: account }).connect();
  const urlFor = (user: string, password: string): string =>
    `mongodb://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  return {
    port,
    admin,
    url: urlFor(account.username, account.password),
    async user(name, roles) {
      const password = `${name.toUpperCase()}!`;
      await admin.db('admin').command({ createUser: name, pwd: password, roles });
      return urlFor(name, password);
    },
    async stop() {
      await admin.close();
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
