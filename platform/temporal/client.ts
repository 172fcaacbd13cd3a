import { Client, Connection } from '@temporalio/client';
import type { Config } from '../config.ts';

/** Opens Temporal. Calls fail within seconds while it cannot be reached. */
export async function connectTemporal(config: Config['temporal']): Promise<Client> {
  const connection = await Connection.connect({ address: config.address, connectTimeout: '10 seconds' });
  return new Client({ connection, namespace: config.namespace });
}
