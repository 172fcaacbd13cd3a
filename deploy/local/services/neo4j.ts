import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NEO4J_USER, stackAddresses } from '../environment.ts';
import { isProvisioned, provision } from '../provision/artefact.ts';
import { classPath } from '../provision/maven.ts';
import { neo4jServer } from '../provision/servers.ts';
import { javaCommand, javaTool, pythonTool } from '../provision/tools.ts';
import type { Service, StackContext } from './service.ts';

const FIRST_PASSWORD = 'neo4j';
const UNAUTHORIZED = 'Neo.ClientError.Security.Unauthorized';

export const neo4j: Service = {
  name: 'neo4j',
  title: 'Neo4j',
  after: [],
  ports: ['neo4j'],
  tools: async () => [javaTool(), ...(isProvisioned(neo4jServer.artefact) ? [] : [pythonTool()])],
  async provision(progress) {
    await provision(neo4jServer.artefact, progress);
  },
  async plan(context) {
    const home = homeOf(context);
    const conf = join(home, 'conf');
    mkdirSync(conf, { recursive: true });
    writeFileSync(join(conf, 'neo4j.conf'), configuration(context));
    return {
      command: javaCommand(),
      // prettier-ignore
      args: ['-Xms512m', '-Xmx1g', '-XX:+UseParallelGC', '-XX:+ExitOnOutOfMemoryError', '-XX:-OmitStackTraceInFastThrow',
        '-Dlog4j2.disable.jmx=true', '-Djava.awt.headless=true',
        '--add-opens=java.base/java.nio=ALL-UNNAMED', '--add-opens=java.base/java.io=ALL-UNNAMED',
        '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED', '-cp', classPath(neo4jServer),
        'org.neo4j.server.CommunityEntryPoint', '--console-mode', `--home-dir=${home}`, `--config-dir=${conf}`],
      cwd: home,
    };
  },
  settle: setFirstPassword,
  async check(context) {
    await runCypher(context, context.secrets.neo4jPassword, 'neo4j', 'RETURN 1 AS one', {});
  },
  address: (context) => stackAddresses(context).neo4j,
  startTimeoutMs: 120_000,
  graceMs: 30_000,
};

function homeOf({ paths }: StackContext): string {
  return join(paths.data, 'neo4j');
}

/** Neo4j asks that its first password be changed; a marker file remembers that it was. */
async function setFirstPassword(context: StackContext): Promise<void> {
  const marker = join(homeOf(context), '.password-set');
  if (existsSync(marker)) return;
  const { neo4jPassword: password } = context.secrets;
  try {
    const change = 'ALTER CURRENT USER SET PASSWORD FROM $from TO $to';
    await runCypher(context, FIRST_PASSWORD, 'system', change, { from: FIRST_PASSWORD, to: password });
  } catch (error) {
    // Changed by an earlier start that ended before it could remember; the health check tries the new password.
    if ((error as { code?: unknown }).code !== UNAUTHORIZED) throw error;
  }
  writeFileSync(marker, '');
}

async function runCypher(
  context: StackContext,
  password: string,
  database: string,
  query: string,
  parameters: Record<string, string>,
): Promise<void> {
  const { driver: connect, auth } = await import('neo4j-driver');
  const driver = connect(stackAddresses(context).neo4j, auth.basic(NEO4J_USER, password), {
    connectionTimeout: 2000,
    connectionAcquisitionTimeout: 4000,
    maxTransactionRetryTime: 0,
  });
  const session = driver.session({ database });
  try {
    await session.run(query, parameters);
  } finally {
    await session.close();
    await driver.close();
  }
}

function configuration({ ports }: StackContext): string {
  const settings: Readonly<Record<string, string | number | boolean>> = {
    'server.bolt.enabled': true,
    'server.bolt.listen_address': `127.0.0.1:${ports.neo4j}`,
    'server.bolt.advertised_address': `127.0.0.1:${ports.neo4j}`,
    'server.bolt.thread_pool_min_size': 2,
    'server.http.enabled': false,
    'server.https.enabled': false,
    'dbms.usage_report.enabled': false,
    // Otherwise it waits ten seconds for connections that are gone already.
    'internal.dbms.bolt.netty_server_shutdown_quiet_period': 0,
    'dbms.security.auth_max_failed_attempts': 0,
    'server.memory.pagecache.size': '256m',
    'dbms.memory.transaction.total.max': '700m',
    // Transaction logs are what makes a commit durable; these bound how much of them is kept, not whether they are written.
    'db.tx_log.preallocate': false,
    'db.tx_log.rotation.size': '64m',
    'db.tx_log.rotation.retention_policy': '2 files',
    'db.transaction.timeout': '60s',
  };
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}
