import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import type { MysqlTarget } from '#domain/ingestion/sources/mysql.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { connectGuarded } from '#platform/guarded-socket.ts';
import type { SourceContext } from '../../source.ts';
import { permanent } from '../shared/source-error.ts';
import { asMysqlError, placeOf } from './failures.ts';

const connectTimeoutMs = 10_000;
/** No statement of ours takes longer than seconds; one that does is stuck, and must not hold a tenant's database. */
const statementTimeoutMs = 60_000;
const goodbyeMs = 2_000;

/** A read-only session on a server. Its catalogue has no transactions: what it says is of the moment of each question. */
export interface MysqlSession {
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** The code of the error with which the server refuses the statement; undefined when it would run it. Nothing is run. */
  refusalOf(sql: string): Promise<string | undefined>;
  server: ServerKind;
  close(): Promise<void>;
}

export interface ServerKind {
  engine: 'MariaDB' | 'MySQL';
  version: string;
}

/** Signs in and fixes what has a say in how the catalogue is written down. @throws LilyError `source-unreachable` or `source-refused` */
export async function openMysqlSession(target: MysqlTarget, context: SourceContext): Promise<MysqlSession> {
  const meter = new ByteMeter();
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asMysqlError(error, target, meter);
    }
  };
  const connection = await guard(() => connect(target, context.allowPrivate, meter));
  const query = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    guard(async () => {
      meter.beginAnswer();
      const [rows] = await connection.query<(Row & RowDataPacket)[]>({ sql, values, timeout: statementTimeoutMs });
      return rows;
    });
  const refusalOf = async (sql: string): Promise<string | undefined> => {
    const timer = setTimeout(() => connection.destroy(), statementTimeoutMs);
    try {
      const statement = await connection.prepare(sql);
      await statement.close();
      return undefined;
    } catch (error) {
      const refused = error instanceof Error && 'code' in error && 'sqlState' in error;
      if (refused) return String(error.code);
      throw asMysqlError(error, target, meter);
    } finally {
      clearTimeout(timer);
    }
  };
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => connection.destroy(), goodbyeMs).unref();
    await connection.end().catch(() => connection.destroy());
    clearTimeout(timer);
  };
  try {
    const server = await serverKind(query, target);
    await query(`SET NAMES utf8mb4`);
    const limit =
      server.engine === 'MariaDB'
        ? `max_statement_time = ${statementTimeoutMs / 1000}`
        : `max_execution_time = ${statementTimeoutMs}`;
    await query(
      `SET SESSION sql_mode = '', SESSION time_zone = '+00:00', SESSION lock_wait_timeout = 15, SESSION ${limit}`,
    );
    await query('SET SESSION TRANSACTION READ ONLY');
    return { query, refusalOf, server, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serverKind(query: MysqlSession['query'], target: MysqlTarget): Promise<ServerKind> {
  const [row] = await query<{ version: string }>('SELECT VERSION() AS version');
  const text = row?.version ?? '';
  const engine = /mariadb/i.test(text) ? 'MariaDB' : 'MySQL';
  // Older MariaDB says 5.5.5-10.6.1-MariaDB, for the sake of replicas that are older still.
  const [, major = '0', minor = '0'] = /^(?:5\.5\.5-)?(\d+)\.(\d+)/.exec(text) ?? [];
  const [needMajor, needMinor] = engine === 'MariaDB' ? [10, 5] : [8, 0];
  const enough = Number(major) > needMajor || (Number(major) === needMajor && Number(minor) >= needMinor);
  if (!enough) {
    throw permanent(placeOf(target), `is ${engine} ${major}.${minor}; ${needMajor}.${needMinor} or later is needed`);
  }
  return { engine, version: text };
}

async function connect(target: MysqlTarget, allowPrivate: boolean, meter: ByteMeter): Promise<Connection> {
  const encrypted = target.sslMode !== 'disabled';
  try {
    return await signIn(target, allowPrivate, meter, encrypted);
  } catch (error) {
    const noTls = error instanceof Error && 'code' in error && error.code === 'HANDSHAKE_NO_SSL_SUPPORT';
    if (noTls && target.sslMode === 'preferred') return signIn(target, allowPrivate, meter, false);
    throw error;
  }
}

async function signIn(
  target: MysqlTarget,
  allowPrivate: boolean,
  meter: ByteMeter,
  encrypted: boolean,
): Promise<Connection> {
  const { host, port, user, password } = target;
  const socket = connectGuarded({ host, port, allowPrivate });
  meter.watch(socket);
  const verify = target.sslMode === 'verify-identity';
  try {
    const connection = await createConnection({
      // The name is for the certificate; the socket leads to the address that was judged.
      host,
      port,
      stream: socket,
      user,
      password,
      ...(encrypted ? { ssl: { rejectUnauthorized: verify, verifyIdentity: verify } } : {}),
      connectTimeout: connectTimeoutMs,
      charset: 'utf8mb4',
      dateStrings: true,
      supportBigNumbers: true,
      // A server may ask for files of ours, and its column names would be compiled into code.
      flags: ['-LOCAL_FILES'],
      disableEval: true,
    });
    // Without a listener, a connection that breaks between two queries would end the process; the next query reports it.
    connection.on('error', () => undefined);
    return connection;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
