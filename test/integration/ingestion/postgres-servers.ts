import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { openSource } from '#activities/ingestion/sources/index.ts';
import type { Source, SourceRecord } from '#activities/ingestion/source.ts';
import type { PostgresSource } from '#domain/ingestion/sources/postgres.ts';
import { npmBinaries, type PostgresBinaries } from '#deploy/local/warehouse/binaries.ts';
import { prepareCluster } from '#deploy/local/warehouse/cluster.ts';
import { sourceContext } from '#test/support/source-context.ts';

const account = { user: 'lily', password: 'pass:word/with@signs' };
const debianBinDir = '/usr/lib/postgresql/15/bin';

/** The PostgreSQL versions that this machine has: the one from npm always, Debian's where it is installed. */
export function installedVersions(): { title: string; binaries: PostgresBinaries }[] {
  const debian = { title: 'PostgreSQL 15', binaries: { binDir: debianBinDir, label: 'debian-15' } };
  return [
    { title: 'PostgreSQL 18', binaries: npmBinaries() },
    ...(existsSync(join(debianBinDir, 'postgres')) ? [debian] : []),
  ];
}

/** A PostgreSQL server of the tests' own, with databases of their own. */
export interface TestServer {
  /** Makes a database, and a client that is signed in to it as its owner. */
  database(name?: string): Promise<TestDatabase>;
  /** Ends the server, has the work done without it, and starts it again. Clients made before are of no use afterwards. */
  outage(work: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export interface TestDatabase {
  name: string;
  port: number;
  client: Client;
  url: string;
  /** A URL for another role. */
  urlFor(user: string, password: string): string;
}

export async function startServer(binaries: PostgresBinaries): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lily-postgres-'));
  // Open to the server's user too: else the cluster would be put elsewhere, and left there.
  await chmod(dataDir, 0o755);
  const cluster = await prepareCluster({ binaries, dataDir, superuser: account, log: () => undefined });
  const port = await freePort();
  let server = await cluster.start(port);
  const clients: Client[] = [];
  const connect = async (database: string): Promise<Client> => {
    const client = new Client({ host: '127.0.0.1', port, database, ...account });
    // A server that goes down on purpose ends its sessions.
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  let admin = await connect('postgres');
  return {
    async database(name = `db_${randomBytes(4).toString('hex')}`) {
      await admin.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
      const urlFor = (user: string, password: string): string =>
        `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(name)}`;
      return { name, port, client: await connect(name), url: urlFor(account.user, account.password), urlFor };
    },
    async outage(work) {
      await server.stop();
      try {
        await work();
      } finally {
        server = await cluster.start(port);
        admin = await connect('postgres');
      }
    },
    async stop() {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}

export type CrawlOptions = Omit<Partial<PostgresSource>, 'type' | 'url'>;

export function sourceOf(url: string, options: CrawlOptions = {}): Source {
  return openSource({ type: 'postgres', url, ...options }, sourceContext);
}

/** Reads a whole source, as a run does: each page by a reader of its own. */
export async function crawl(url: string, options: CrawlOptions = {}): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  let cursor: string | undefined;
  do {
    const source = sourceOf(url, options);
    try {
      const page = await source.readPage(cursor, options.page_size ?? 2_000);
      records.push(...page.records);
      cursor = page.nextCursor;
    } finally {
      await source.close();
    }
  } while (cursor !== undefined);
  return records;
}

export async function fingerprint(url: string, options: CrawlOptions = {}): Promise<string> {
  const source = sourceOf(url, options);
  try {
    return await source.fingerprint();
  } finally {
    await source.close();
  }
}

/** Records by type and qualified name, as `table warehouse.shop.orders`. */
export function byName(records: SourceRecord[]): Map<string, SourceRecord> {
  return new Map(records.map((record) => [`${record.entity_type} ${record.qualified_name}`, record]));
}

/** Qualified names of a record's upstream. */
export function upstreamOf(record: SourceRecord | undefined): string[] {
  return (record?.upstream ?? []).map((ref) => ('qualified_name' in ref ? ref.qualified_name : ref.metadata_id));
}
