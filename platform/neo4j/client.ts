import neo4j, { type Driver } from 'neo4j-driver';
import type { Config } from '../config.ts';

/** Opens Neo4j. Fails within seconds, never hangs, while it cannot be reached. */
export function connectNeo4j(config: Config['neo4j']): Driver {
  return neo4j.driver(config.url, neo4j.auth.basic(config.user, config.password), {
    userAgent: 'lily',
    disableLosslessIntegers: true,
    maxConnectionPoolSize: 20,
    connectionAcquisitionTimeout: 5_000,
    connectionTimeout: 3_000,
    maxTransactionRetryTime: 10_000,
    telemetryDisabled: true,
  });
}

/**
 * Creates the graph's constraint; harmless to repeat. The tenant is part of every node's key, so a reference to another
 * tenant's id can only ever find, or make, a node of one's own.
 */
export async function ensureGraphConstraints(driver: Driver): Promise<void> {
  await driver.executeQuery(
    'CREATE CONSTRAINT node_key IF NOT EXISTS FOR (n:Node) REQUIRE (n.tenant_id, n.node_id) IS UNIQUE',
  );
}
