import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { reachableBinaries, type PostgresBinaries } from './binaries.ts';
import { canReach, serverIdentity, sharedFolder, type ServerIdentity } from './server-identity.ts';

const START_TIMEOUT_MS = 60_000;
const FAST_STOP_MS = 10_000;
const CLAIM_ATTEMPTS = 40;
const POLL_MS = 250;

export interface ClusterOptions {
  binaries: PostgresBinaries;
  /** Where the caller wants the data. It may lie below a folder that the server's user cannot enter. */
  dataDir: string;
  superuser: { user: string; password: string };
  /** Throw away what is there. */
  fresh?: boolean;
  log: (line: string) => void;
}

/** One PostgreSQL cluster on this machine. */
export interface Cluster {
  /** Starts the server on 127.0.0.1 and returns when it accepts connections. Ends a server that was left behind on this data. */
  start(port: number): Promise<RunningServer>;
}

export interface RunningServer {
  /** Ends the server: sessions are closed and the data is written. Safe to call twice. */
  stop(): Promise<void>;
  /** Settles with the exit code when the server ends, for whatever reason. */
  readonly ended: Promise<number | null>;
}

/** Makes sure of the cluster's files, and that no server runs on them. An existing cluster is kept unless `fresh` is said. */
export async function prepareCluster(options: ClusterOptions): Promise<Cluster> {
  const identity = serverIdentity();
  const binaries = await reachableBinaries(options.binaries, identity);
  const home = await clusterHome(options.dataDir, identity);
  const context: ClusterContext = { ...options, binaries, identity, dataDir: join(home, 'cluster') };
  await endServer(context.dataDir);
  if (options.fresh === true) await rm(join(home, 'initialised'), { force: true });
  if (!existsSync(join(home, 'initialised'))) {
    await initialise(context, home);
    await writeFile(join(home, 'initialised'), `${binaries.label}\n`);
  }
  return { start: (port) => startServer(context, port) };
}

interface ClusterContext extends ClusterOptions {
  identity: ServerIdentity;
}

/**
 * Where the cluster really lies: in `dataDir`, or, where the server's user cannot get there, in a folder outside that
 * belongs to this very `dataDir`. A key inside `dataDir` ties the two, so that deleting `dataDir` starts afresh.
 */
async function clusterHome(dataDir: string, identity: ServerIdentity): Promise<string> {
  const inside = resolve(dataDir);
  await mkdir(inside, { recursive: true });
  if (canReach(inside, identity)) return inside;
  const name = createHash('sha256').update(inside).digest('hex').slice(0, 16);
  const outside = join(await sharedFolder(), `data-${name}`);
  const keyFile = join(inside, 'cluster-key');
  const key = existsSync(keyFile) ? readFileSync(keyFile, 'utf8') : randomUUID();
  const outsideKey = join(outside, 'cluster-key');
  if (!existsSync(outsideKey) || readFileSync(outsideKey, 'utf8') !== key) {
    await endServer(join(outside, 'cluster'));
    await rm(outside, { recursive: true, force: true });
    await mkdir(outside, { mode: 0o755 });
    await writeFile(outsideKey, key);
    await writeFile(join(inside, 'cluster-is-at'), `${outside}\n`);
    await writeFile(keyFile, key);
  }
  return outside;
}

async function initialise(context: ClusterContext, home: string): Promise<void> {
  const { dataDir, identity, superuser, binaries } = context;
  await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir);
  await chmod(dataDir, 0o700);
  const passwordFile = join(home, `.password-${process.pid}`);
  await writeFile(passwordFile, `${superuser.password}\n`, { mode: 0o600 });
  if (identity.uid !== undefined) {
    await chown(dataDir, identity.uid, identity.gid);
    await chown(passwordFile, identity.uid, identity.gid);
  }
  try {
    const child = launch(context, join(binaries.binDir, 'initdb'), [
      `--pgdata=${dataDir}`,
      `--username=${superuser.user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ]);
    const lines = follow(child, context.log);
    const code = await exitOf(child);
    if (code !== 0) throw new Error(`initdb ended with ${code}:\n${lines.slice(-10).join('\n')}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function startServer(context: ClusterContext, port: number): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    const child = launch(context, join(context.binaries.binDir, 'postgres'), serverArguments(context.dataDir, port));
    const lines = follow(child, context.log);
    const ended = exitOf(child);
    const outcome = await Promise.race([untilReady(lines), ended.then(() => 'ended' as const)]);
    if (outcome === 'ready') return { ended, stop: () => stopServer(child, ended) };
    if (outcome === 'timeout') await stopServer(child, ended);
    // A server that was killed leaves sessions behind for a moment; they hold its shared memory.
    const heldBack = lines.some(
      (line) => line.includes('shared memory block') || line.includes('postmaster.pid" already exists'),
    );
    if (outcome === 'timeout' || !heldBack || attempt === CLAIM_ATTEMPTS) {
      throw new Error(`PostgreSQL did not start on port ${port}:\n${lines.slice(-10).join('\n')}`);
    }
    await sleep(POLL_MS);
  }
}

function serverArguments(dataDir: string, port: number): string[] {
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '50',
    shared_buffers: '64MB',
    logging_collector: 'off',
    log_destination: 'stderr',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  return ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

function launch(context: ClusterContext, command: string, args: string[]): ChildProcess {
  const { identity, dataDir } = context;
  return spawn(command, args, {
    ...(identity.uid === undefined ? {} : identity),
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A locale of the caller's that this machine lacks must not decide whether the server starts.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
}

/** Passes a process's lines on, and returns the growing list of its last ones. */
function follow(child: ChildProcess, log: (line: string) => void): string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      log(line);
      lines.push(line);
      if (lines.length > 100) lines.shift();
    });
  }
  return lines;
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done(code));
  });
}

async function untilReady(lines: string[]): Promise<'ready' | 'timeout'> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (lines.some((line) => line.includes('database system is ready to accept connections'))) return 'ready';
    await sleep(20);
  }
  return 'timeout';
}

/** SIGINT is PostgreSQL's fast shutdown; SIGQUIT gives up at once and recovers at the next start. */
async function stopServer(child: ChildProcess, ended: Promise<number | null>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGINT');
  const gone = await Promise.race([ended.then(() => true), sleep(FAST_STOP_MS, false, { ref: false })]);
  if (!gone) child.kill('SIGQUIT');
  await ended;
}

/** Ends a server that a killed parent left behind on this data. Its own lock file says which process it is. */
async function endServer(dataDir: string): Promise<void> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pidLine, dataLine] = text.split('\n');
  const pid = Number(pidLine);
  if (!Number.isInteger(pid) || pid <= 1 || dataLine !== dataDir || !isServerOf(pid, dataDir)) return;
  const signals = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const;
  for (const signal of signals) {
    process.kill(pid, signal);
    for (let waited = 0; waited < FAST_STOP_MS / 2; waited += POLL_MS) {
      await sleep(POLL_MS);
      if (!isServerOf(pid, dataDir)) return;
    }
  }
}

/** A process id may have been given to somebody else meanwhile, so the command line is looked at. */
function isServerOf(pid: number, dataDir: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(dataDir);
  } catch {
    return false;
  }
}
