import { createConnection } from 'node:net';
import { join } from 'node:path';
import { stackAddresses } from '../environment.ts';
import { CHECKOUT, NODE } from '../paths.ts';
import type { LaunchPlan } from '../process/lifecycle.ts';
import type { Service, StackContext } from './service.ts';

const CHECK_TIMEOUT_MS = 3000;
const OIDC_ENTRY = 'deploy/local/oidc/main.ts';
const WAREHOUSE_ENTRY = 'deploy/local/warehouse/main.ts';
const WORKER_ENTRY = 'workers/main.ts';
const API_ENTRY = 'api/main.ts';

/** The one-shot step that creates topics, indexes and constraints. */
export const SETUP_ENTRY = 'deploy/setup.ts';

export const oidc: Service = {
  name: 'oidc',
  title: 'OpenID provider',
  after: [],
  ports: ['oidc'],
  entry: OIDC_ENTRY,
  plan: async (context) => nodePlan(OIDC_ENTRY, { LILY_STACK: context.name, ...context.env }),
  check: async (context) => requireOk(`${stackAddresses(context).oidc}/.well-known/openid-configuration`),
  address: (context) => stackAddresses(context).oidc,
  startTimeoutMs: 30_000,
  graceMs: 5000,
};

export const warehouse: Service = {
  name: 'warehouse',
  title: 'Warehouse',
  after: [],
  ports: ['warehouse'],
  entry: WAREHOUSE_ENTRY,
  plan: async ({ ports, paths }) =>
    nodePlan(WAREHOUSE_ENTRY, {
      WAREHOUSE_PORT: String(ports.warehouse),
      WAREHOUSE_DATA_DIR: join(paths.data, 'warehouse'),
    }),
  check: async ({ ports }) => requireConnection(ports.warehouse),
  address: (context) => stackAddresses(context).warehouse,
  startTimeoutMs: 120_000,
  graceMs: 20_000,
};

export const worker: Service = {
  name: 'worker',
  title: 'Worker',
  after: ['mongo', 'kafka', 'neo4j', 'temporal', 'setup'],
  ports: ['workerHealth'],
  entry: WORKER_ENTRY,
  plan: async ({ env }) => nodePlan(WORKER_ENTRY, env),
  check: async (context) => requireOk(`${stackAddresses(context).workerHealth}/healthz`),
  address: (context) => `${stackAddresses(context).workerHealth}/healthz`,
  startTimeoutMs: 90_000,
  graceMs: 30_000,
};

export const api: Service = {
  name: 'api',
  title: 'API',
  after: ['mongo', 'kafka', 'neo4j', 'temporal', 'oidc', 'setup'],
  ports: ['api'],
  entry: API_ENTRY,
  plan: async ({ env }) => nodePlan(API_ENTRY, env),
  check: async (context) => requireOk(`${stackAddresses(context).api}/healthz`),
  address: (context) => stackAddresses(context).api,
  startTimeoutMs: 90_000,
  graceMs: 20_000,
};

function nodePlan(entry: string, env: Readonly<Record<string, string>>): LaunchPlan {
  return { command: NODE, args: ['--disable-warning=ExperimentalWarning', join(CHECKOUT, entry)], cwd: CHECKOUT, env };
}

async function requireOk(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`answers ${response.status}`);
}

async function requireConnection(port: StackContext['ports']['warehouse']): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: CHECK_TIMEOUT_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error('does not answer')));
    socket.once('error', reject);
  });
}
