import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type ClientConfig, escapeIdentifier } from 'pg';
import { warehouseAccount, type WarehouseAccount } from './url.ts';

const schemaDir = join(import.meta.dirname, 'schema');

/** Creates the database and loads every file of `schema/` in the order of their names, each in one transaction. */
export async function loadWarehouse(port: number, account: WarehouseAccount = warehouseAccount): Promise<void> {
  const { database, user, password } = account;
  await withClient({ host: '127.0.0.1', port, user, password, database: 'postgres' }, async (client) => {
    await client.query(`CREATE DATABASE ${escapeIdentifier(database)}`);
  });
  await withClient({ host: '127.0.0.1', port, user, password, database }, async (client) => {
    const files = (await readdir(schemaDir)).filter((file) => file.endsWith('.sql')).sort();
    for (const file of files) {
      await client.query(`BEGIN;\n${await readFile(join(schemaDir, file), 'utf8')}\nCOMMIT;`);
    }
    await client.query('ANALYZE');
  });
}

async function withClient(config: ClientConfig, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(config);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
