import { z } from 'zod';

const port = z.coerce.number().int().min(1).max(65_535);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const list = z
  .string()
  .min(1)
  .transform((text) => text.split(',').map((item) => item.trim()));

/** Every environment variable that Lily reads. Nothing else of the environment is looked at, and only here. */
const environmentSchema = z.object({
  LILY_ENV: z.enum(['development', 'production']).default('production'),
  LILY_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  LILY_API_HOST: z.string().min(1).default('0.0.0.0'),
  LILY_API_PORT: port.default(8080),
  LILY_WORKER_HEALTH_PORT: port.default(8090),
  LILY_MONGO_URL: z.string().startsWith('mongodb', 'must be a mongodb:// or mongodb+srv:// address'),
  LILY_MONGO_DATABASE: z.string().min(1).default('lily'),
  LILY_KAFKA_BROKERS: list,
  LILY_KAFKA_PARTITIONS: z.coerce.number().int().min(1).max(1_000).default(6),
  LILY_KAFKA_REPLICAS: z.coerce.number().int().min(1).max(9).default(1),
  LILY_NEO4J_URL: z.string().min(1),
  LILY_NEO4J_USER: z.string().min(1),
  LILY_NEO4J_PASSWORD: z.string().min(1),
  LILY_TEMPORAL_ADDRESS: z.string().min(1),
  LILY_TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  LILY_TEMPORAL_UI_URL: z.url().optional(),
  LILY_OIDC_ISSUER: z.url(),
  LILY_OIDC_AUDIENCE: z.string().min(1).default('lily'),
  LILY_SECRET_KEY: z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, 'must be 32 bytes in base64'),
  LILY_ALLOW_PRIVATE_SOURCES: flag.default(false),
  /** Runs of one tenant that may be active at once: fewer than a worker reads pages at once, so that nobody has them all. */
  LILY_RUNS_PER_TENANT: z.coerce.number().int().min(1).max(1_000).default(10),
  /** Records in one batch of the streaming door, at most. */
  LILY_BATCH_RECORDS: z.coerce.number().int().min(1).max(10_000).default(2_000),
});

/** The names of all variables that {@link loadConfig} reads. */
export const environmentNames: readonly string[] = Object.keys(environmentSchema.shape);

/** Lily's configuration, in slices: a component is given its slice and sees no other. */
export interface Config {
  environment: 'development' | 'production';
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  api: { host: string; port: number };
  worker: { healthPort: number; batchRecords: number };
  mongo: { url: string; database: string };
  kafka: { brokers: string[]; partitions: number; replicas: number };
  neo4j: { url: string; user: string; password: string };
  temporal: { address: string; namespace: string; uiUrl: string | undefined };
  oidc: { issuer: string; audience: string };
  /** 32 bytes; seals what is secret at rest. */
  secretKey: Buffer;
  /** Whether sources may be at loopback and private addresses. Off unless somebody says so. */
  allowPrivateSources: boolean;
  /** Runs of one tenant that may be active at once. */
  runsPerTenant: number;
}

/** The configuration cannot be used. The message lists every fault at once, by name and without values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration.
 * @throws ConfigError naming every variable at fault; never its value, which may be secret.
 */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new ConfigError(`The configuration has ${faults.length} fault(s):\n${faults.join('\n')}`);
  }
  const env = parsed.data;
  return {
    environment: env.LILY_ENV,
    logLevel: env.LILY_LOG_LEVEL,
    api: { host: env.LILY_API_HOST, port: env.LILY_API_PORT },
    worker: { healthPort: env.LILY_WORKER_HEALTH_PORT, batchRecords: env.LILY_BATCH_RECORDS },
    mongo: { url: env.LILY_MONGO_URL, database: env.LILY_MONGO_DATABASE },
    kafka: {
      brokers: env.LILY_KAFKA_BROKERS,
      partitions: env.LILY_KAFKA_PARTITIONS,
      replicas: env.LILY_KAFKA_REPLICAS,
    },
    neo4j: { url: env.LILY_NEO4J_URL, user: env.LILY_NEO4J_USER, password: env.LILY_NEO4J_PASSWORD },
    temporal: {
      address: env.LILY_TEMPORAL_ADDRESS,
      namespace: env.LILY_TEMPORAL_NAMESPACE,
      uiUrl: env.LILY_TEMPORAL_UI_URL,
    },
    oidc: { issuer: env.LILY_OIDC_ISSUER, audience: env.LILY_OIDC_AUDIENCE },
    secretKey: Buffer.from(env.LILY_SECRET_KEY, 'base64'),
    allowPrivateSources: env.LILY_ALLOW_PRIVATE_SOURCES,
    runsPerTenant: env.LILY_RUNS_PER_TENANT,
  };
}
