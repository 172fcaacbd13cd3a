import neo4j from 'neo4j-driver';
import type { Neo4jTarget } from '#domain/ingestion/sources/neo4j.ts';
import type { ByteMeter } from '../byte-meter.ts';
import { openRelay } from '../relay.ts';

const connectTimeoutMs = 10_000;
/** No query of ours takes longer than seconds; one that does must not hold a tenant's server. */
const queryTimeoutMs = 30_000;
const rowsAtOnce = 1_000;

/** A server of a tenant's, as a crawl reads it. */
export interface ForeignNeo4j {
  /** Runs a query that the server takes as a read; one that writes it refuses. */
  query<Row extends object>(cypher: string, parameters?: Record<string, unknown>): Promise<Row[]>;
  close(): Promise<void>;
}

export interface ForeignNeo4jOptions {
  /** The user's home database without it. */
  database: string | undefined;
  allowPrivate: boolean;
  meter: ByteMeter;
}

/**
 * Signs in to exactly the server that is named: the driver sees a single server at the relay's end, and asks for no routes. Throws what
 * the driver, the network or the address guard says.
 */
export async function openForeignNeo4j(
  target: Neo4jTarget,
  { database, allowPrivate, meter }: ForeignNeo4jOptions,
): Promise<ForeignNeo4j> {
  const { host, port, tls, user, password } = target;
  const relay = await openRelay({ host, port, tls, allowPrivate }, meter, connectTimeoutMs);
  const credentials = user === '' ? undefined : neo4j.auth.basic(user, password);
  const driver = neo4j.driver(`bolt://127.0.0.1:${relay.port}`, credentials, {
    encrypted: 'ENCRYPTION_OFF',
    userAgent: 'lily',
    disableLosslessIntegers: true,
    maxConnectionPoolSize: 1,
    connectionTimeout: connectTimeoutMs,
    connectionAcquisitionTimeout: connectTimeoutMs + 1_000,
    maxTransactionRetryTime: 0,
    fetchSize: rowsAtOnce,
    telemetryDisabled: true,
  });
  const close = async (): Promise<void> => {
    // The relay first: a goodbye would wait for a server that does not listen any more.
    await relay.close();
    await driver.close().catch(() => undefined);
  };
  meter.whenExceeded(() => void close());
  return {
    async query<Row extends object>(cypher: string, parameters: Record<string, unknown> = {}): Promise<Row[]> {
      meter.beginAnswer();
      const session = driver.session({
        defaultAccessMode: neo4j.session.READ,
        ...(database === undefined ? {} : { database }),
      });
      // The server is told to give up by itself; one that does not is left.
      const timer = setTimeout(() => void relay.close(), queryTimeoutMs + 5_000);
      try {
        const { records } = await session.run(cypher, parameters, { timeout: queryTimeoutMs });
        return records.map((record) => record.toObject() as Row);
      } catch (error) {
        throw relay.failure() ?? error;
      } finally {
        clearTimeout(timer);
        await session.close().catch(() => undefined);
      }
    },
    close,
  };
}
