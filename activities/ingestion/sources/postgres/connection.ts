import { isIP, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { LilyError } from '#domain/errors.ts';
import { postgresTarget, type PostgresTarget } from '#domain/ingestion/sources/postgres.ts';
import { resolveAllowed } from '#platform/address-guard.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import type { SourceContext } from '../../source.ts';
import { asSourceError } from './failures.ts';

const connectTimeoutMs = 10_000;
/** No statement of ours takes longer than seconds; one that does is stuck, and must not hold a tenant's database. */
const statementTimeoutMs = 60_000;
/** Reading a view's definition waits for whoever is changing it. */
const lockTimeoutMs = 15_000;
/** A server that does not answer a goodbye is left without one. */
const goodbyeMs = 2_000;
const oldestVersion = 130_000;

/**
 * Everything that decides how the catalogue is written down, fixed, so that two crawls by different roles agree to the letter;
 * local to the transaction, so that it holds behind a pooler too.
 */
const settings: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  statement_timeout: String(statementTimeoutMs),
  lock_timeout: String(lockTimeoutMs),
  idle_in_transaction_session_timeout: String(statementTimeoutMs),
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  quote_all_identifiers: 'off',
};

/** A read-only transaction on the source: everything that it reads is of one moment. */
export interface Session {
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** As `server_version_num`: 150004 is 15.4. */
  version: number;
  close(): Promise<void>;
}

/** Signs in and begins the transaction. @throws LilyError `source-unreachable` or `source-refused` */
export async function openSession(url: string, context: SourceContext): Promise<Session> {
  const target = postgresTarget(url);
  const addresses = await resolveAllowed(target.host, context.allowPrivate);
  const meter = new ByteMeter();
  const { client, socket } = await connect(target, addresses, meter);
  const query = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> => {
    meter.beginAnswer();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } catch (error) {
      throw asSourceError(error, target, meter);
    }
  };
  const close = async (): Promise<void> => {
    const goodbye = client.end().catch(() => undefined);
    await Promise.race([goodbye, sleep(goodbyeMs, undefined, { ref: false })]);
    socket.destroy();
  };
  try {
    await query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const [names, values] = [Object.keys(settings), Object.values(settings)];
    await query(
      'SELECT pg_catalog.set_config(s.name, s.value, true) FROM unnest($1::text[], $2::text[]) AS s(name, value)',
      [names, values],
    );
    const [row] = await query<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`);
    const version = row?.version ?? 0;
    if (version < oldestVersion) {
      const detail = `The server is PostgreSQL ${Math.floor(version / 10_000)}; 13 or later is needed.`;
      throw new LilyError('source-unreachable', detail, { field: '/source/url' });
    }
    return { query, version, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Connection {
  client: Client;
  socket: Socket;
}

/** Tries the addresses in turn. The first that accepts or refuses us decides; only a silent one is passed over. */
async function connect(target: PostgresTarget, addresses: string[], meter: ByteMeter): Promise<Connection> {
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await connectTo(target, address, meter);
    } catch (error) {
      failure = error;
      if (error instanceof DatabaseError) break;
    }
  }
  throw asSourceError(failure, target, meter);
}

async function connectTo(target: PostgresTarget, address: string, meter: ByteMeter): Promise<Connection> {
  const encrypted = target.sslMode !== 'disable';
  try {
    return await signIn(target, address, encrypted, meter);
  } catch (error) {
    const noTls = error instanceof Error && error.message === 'The server does not support SSL connections';
    if (noTls && target.sslMode === 'prefer') return signIn(target, address, false, meter);
    throw error;
  }
}

async function signIn(
  target: PostgresTarget,
  address: string,
  encrypted: boolean,
  meter: ByteMeter,
): Promise<Connection> {
  const verify = target.sslMode === 'verify-full';
  // The certificate is checked against the name, though the connection goes to the address that was judged.
  const servername = isIP(target.host) === 0 ? { servername: target.host } : {};
  const socket = new Socket();
  meter.watch(socket);
  const client = new Client({
    stream: () => socket,
    host: address,
    port: target.port,
    database: target.database,
    user: target.user,
    // As a function, because an empty password would make the driver look for one in this process's own environment.
    password: () => target.password,
    ssl: encrypted ? { rejectUnauthorized: verify, ...servername } : false,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs + 10_000,
    keepAlive: true,
    application_name: 'lily',
  });
  // Without a listener, a connection that breaks between two queries would end the process; the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    // A goodbye would wait for the other side, which may be no database at all.
    socket.destroy();
    throw error;
  }
  return { client, socket };
}
