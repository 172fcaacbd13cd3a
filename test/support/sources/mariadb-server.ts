import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection, type Connection } from 'mysql2/promise';
import { taskProgress, type OnProgress } from '#deploy/local/progress.ts';
import { provisionMariadb } from '#deploy/local/provision/mariadb.ts';
import { freePort } from './place.ts';

const account = { user: 'lily', password: 'pass:word/with@signs' };

/** Fetches MariaDB unless it is there. `npm test` does it before the tests, so that these need not wait. */
export async function openMariadb(onProgress: OnProgress = () => undefined): Promise<string> {
  return provisionMariadb(taskProgress('mariadb', onProgress));
}

/** A MariaDB server of the tests' own. */
export interface MariadbServer {
  port: number;
  /** Signed in with every privilege. */
  admin: Connection;
  url: string;
  urlFor(user: string, password: string): string;
  /** Makes a user with no privilege, and gives the URL that signs in as it. */
  user(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** @param tls with it the server makes a key and a certificate of its own when it starts, which may take it half a minute */
export async function startMariadb({ tls = false } = {}): Promise<MariadbServer> {
  const home = await openMariadb();
  const folder = await mkdtemp(join(tmpdir(), 'lily-mariadb-'));
  const data = join(folder, 'data');
  const program = join(home, 'bin/mariadbd');
  const common = [
    '--no-defaults',
    `--basedir=${home}`,
    `--datadir=${data}`,
    `--lc-messages-dir=${join(home, 'share')}`,
    '--innodb-buffer-pool-size=64M',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-flush-method=nosync',
    '--innodb-log-file-size=16M',
    '--skip-innodb-doublewrite',
    '--sync-frm=0',
    // It runs as whoever runs the tests; root has to say so.
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
  ];
  await initialise(program, common, home, data);
  const port = await freePort();
  const accounts = join(folder, 'accounts.sql');
  await writeFile(
    accounts,
    `CREATE USER ${account.user}@'%' IDENTIFIED BY '${account.password}';\nGRANT ALL ON *.* TO ${account.user}@'%' WITH GRANT OPTION;\n`,
  );
  const lines: string[] = [];
  const child = spawn(
    program,
    // prettier-ignore
    [...common, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${join(folder, 's')}`, `--init-file=${accounts}`,
      '--skip-name-resolve', '--character-set-server=utf8mb4', ...(tls ? [] : ['--skip-ssl'])],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push(text));
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const admin = await signIn(port, () => {
    if (child.exitCode !== null) throw new Error(`MariaDB did not start:\n${lines.join('').slice(-4_000)}`);
  }).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  const urlFor = (user: string, password: string): string =>
    `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  return {
    port,
    admin,
    url: urlFor(account.user, account.password),
    urlFor,
    async user(name) {
      await admin.query(`CREATE USER ?@'%' IDENTIFIED BY ?`, [name, `${name.toUpperCase()}!`]);
      return urlFor(name, `${name.toUpperCase()}!`);
    },
    async stop() {
      await admin.end().catch(() => undefined);
      child.kill('SIGTERM');
      const gone = await Promise.race([ended.then(() => true), sleep(10_000, false, { ref: false })]);
      if (!gone) child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Makes the system tables, as `mariadb-install-db` does. */
async function initialise(program: string, common: string[], home: string, data: string): Promise<void> {
  const names = ['mariadb_system_tables', 'mariadb_performance_tables', 'mariadb_system_tables_data'];
  const scripts = await Promise.all(names.map((name) => readFile(join(home, 'share', `${name}.sql`), 'utf8')));
  const input = ['create database if not exists mysql;', 'use mysql;', ...scripts].join('\n');
  await mkdir(data, { recursive: true });
  const { status, stderr } = spawnSync(program, [...common, '--bootstrap', '--skip-log-bin'], { input });
  if (status !== 0) throw new Error(`MariaDB could not make its system tables:\n${stderr.toString().slice(-4_000)}`);
}

async function signIn(port: number, look: () => void): Promise<Connection> {
  for (const deadline = Date.now() + 90_000; ; await sleep(100)) {
    look();
    try {
      return await createConnection({ host: '127.0.0.1', port, ...account, multipleStatements: true });
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
