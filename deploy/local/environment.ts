import type { StackContext } from './services/service.ts';
import { warehouseUrl } from './warehouse/url.ts';

/** The database, audience and namespace names that a local stack uses. */
export const MONGO_DATABASE = 'lily';
export const OIDC_AUDIENCE = 'lily';
export const TEMPORAL_NAMESPACE = 'default';
export const NEO4J_USER = 'neo4j';
const KAFKA_PARTITIONS = 4;

type Addressed = Pick<StackContext, 'ports' | 'secrets'>;

/** Where each part of a stack is reached, as URLs or `host:port`. */
export interface StackAddresses {
  readonly api: string;
  readonly docs: string;
  readonly temporal: string;
  readonly temporalUi: string;
  readonly kafka: string;
  readonly neo4j: string;
  readonly mongo: string;
  readonly oidc: string;
  /** With the demonstration's own account, which exists nowhere else. */
  readonly warehouse: string;
  readonly workerHealth: string;
}

export function stackAddresses({ ports }: Pick<StackContext, 'ports'>): StackAddresses {
  return {
    api: `http://127.0.0.1:${ports.api}`,
    docs: `http://127.0.0.1:${ports.api}/docs`,
    temporal: `127.0.0.1:${ports.temporal}`,
    temporalUi: `http://127.0.0.1:${ports.temporalUi}`,
    kafka: `127.0.0.1:${ports.kafka}`,
    neo4j: `bolt://127.0.0.1:${ports.neo4j}`,
    mongo: `mongodb://127.0.0.1:${ports.mongo}/?replicaSet=rs0&directConnection=false`,
    oidc: `http://127.0.0.1:${ports.oidc}`,
    warehouse: warehouseUrl(ports.warehouse),
    workerHealth: `http://127.0.0.1:${ports.workerHealth}`,
  };
}

/** Every `LILY_*` variable that Lily's own processes need to run against a stack. */
export function stackEnvironment(context: Addressed): Record<string, string> {
  const addresses = stackAddresses(context);
  return {
    LILY_ENV: 'development',
    LILY_LOG_LEVEL: process.env['LILY_LOG_LEVEL'] ?? 'info',
    LILY_API_HOST: '127.0.0.1',
    LILY_API_PORT: String(context.ports.api),
    LILY_MONGO_URL: addresses.mongo,
    LILY_MONGO_DATABASE: MONGO_DATABASE,
    LILY_KAFKA_BROKERS: addresses.kafka,
    LILY_KAFKA_PARTITIONS: String(KAFKA_PARTITIONS),
    LILY_NEO4J_URL: addresses.neo4j,
    LILY_NEO4J_USER: NEO4J_USER,
    LILY_NEO4J_PASSWORD: context.secrets.neo4jPassword,
    LILY_TEMPORAL_ADDRESS: addresses.temporal,
    LILY_TEMPORAL_NAMESPACE: TEMPORAL_NAMESPACE,
    LILY_TEMPORAL_UI_URL: addresses.temporalUi,
    LILY_OIDC_ISSUER: addresses.oidc,
    LILY_OIDC_AUDIENCE: OIDC_AUDIENCE,
    LILY_SECRET_KEY: context.secrets.secretKey,
    // The warehouse that the demo crawls is on the loopback interface, which is refused everywhere else.
    LILY_ALLOW_PRIVATE_SOURCES: 'true',
    LILY_WORKER_HEALTH_PORT: String(context.ports.workerHealth),
  };
}
