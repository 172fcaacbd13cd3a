/**
 * The demonstration's warehouse: a real PostgreSQL on 127.0.0.1 that needs no installation.
 * WAREHOUSE_PORT and WAREHOUSE_DATA_DIR say where; SIGTERM or SIGINT ends it cleanly.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { npmBinaries } from './binaries.ts';
import { prepareCluster, type Cluster, type RunningServer } from './cluster.ts';
import { loadWarehouse } from './load.ts';
import { warehouseAccount, warehouseUrl } from './url.ts';

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}

function settings(): { port: number; dataDir: string } {
  const port = Number(process.env['WAREHOUSE_PORT']);
  const dataDir = process.env['WAREHOUSE_DATA_DIR'] ?? '';
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('WAREHOUSE_PORT must be a port number.');
  if (dataDir === '') throw new Error('WAREHOUSE_DATA_DIR must name a folder.');
  return { port, dataDir };
}

/** The server that runs at this moment; a signal ends it, and nothing is started after that. */
class Supervisor {
  #current: RunningServer | undefined;
  #stopping = false;

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        this.#stopping = true;
        void this.#current?.stop();
      });
    }
  }

  async start(cluster: Cluster, port: number): Promise<RunningServer> {
    if (this.#stopping) throw new Error('Stopped while starting.');
    const server = await cluster.start(port);
    this.#current = server;
    if (this.#stopping) await server.stop();
    return server;
  }
}

/** Loads the data on a port that nobody knows, so that whoever reaches the warehouse's own port finds all of it. */
async function loadOnce(supervisor: Supervisor, cluster: Cluster): Promise<void> {
  const port = await freePort();
  const server = await supervisor.start(cluster, port);
  try {
    await loadWarehouse(port);
  } finally {
    await server.stop();
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}

async function main(): Promise<void> {
  const { port, dataDir } = settings();
  const supervisor = new Supervisor();
  const loaded = join(dataDir, 'loaded');
  // A first start that was broken off left half a database: begin again.
  const fresh = !existsSync(loaded);
  const { user, password } = warehouseAccount;
  const cluster = await prepareCluster({ binaries: npmBinaries(), dataDir, superuser: { user, password }, fresh, log });
  if (fresh) {
    await loadOnce(supervisor, cluster);
    await writeFile(loaded, '');
  }
  const server = await supervisor.start(cluster, port);
  log(`The warehouse listens: ${warehouseUrl(port).replace(password, '***')}`);
  process.exitCode = (await server.ended) === 0 ? 0 : 1;
}

await main();
