import type { Kafka } from 'kafkajs';
import { fetchToken } from '#deploy/local/fetch-token.ts';
import type { Stack } from '#deploy/local/stack.ts';
import { GroupCommitProducer } from '#platform/kafka/producer.ts';
import { loadEntity, type LoadEntity } from './content.ts';
import type { Ledger } from './ledger.ts';
import { Random } from './random.ts';
import { RestClient } from './rest-client.ts';
import { restLoad } from './rest-load.ts';
import { streamLoad } from './stream-load.ts';

/** Two tenants whose entities have the same names. */
export const tenantIds = ['acme', 'globex'] as const;

const restClientsPerTenant = 12;
const entitiesPerClient = 64;

export interface LoadOptions {
  stack: Stack;
  kafka: Kafka;
  ledger: Ledger;
  seed: number;
  records: number;
  /** How long the killings take, about: the load is spread over that time. */
  seconds: number;
  isPaced: () => boolean;
  goesOn: () => boolean;
  giveUp: AbortSignal;
}

/** Runs all clients until `goesOn` says no. Each entity belongs to one client, so its records have a defined order. */
export async function runLoad({
  stack,
  kafka,
  ledger,
  seed,
  records,
  seconds,
  isPaced,
  goesOn,
  giveUp,
}: LoadOptions): Promise<void> {
  const producer = new GroupCommitProducer(kafka, { retries: 2 });
  await producer.connect();
  const startedAt = Date.now();
  const isAhead = (): boolean =>
    isPaced() && ledger.entries.length > (records / seconds) * ((Date.now() - startedAt) / 1_000);
  const running: Promise<void>[] = [];
  for (const [tenant, tenantId] of tenantIds.entries()) {
    const token = await fetchToken(stack, { tenant: tenantId, user: 'chaos', roles: ['editor'] });
    for (let client = 0; client <= restClientsPerTenant; client++) {
      const random = new Random(seed * 1_000 + tenant * 100 + client);
      const common = { ledger, random, entities: entitiesOf(tenantId, client), isAhead, goesOn };
      if (client === restClientsPerTenant) running.push(streamLoad({ ...common, producer }));
      else running.push(restLoad({ ...common, client: new RestClient(stack.addresses.api, token, ledger, giveUp) }));
    }
  }
  try {
    await Promise.all(running);
  } finally {
    await producer.close();
  }
}

function entitiesOf(tenantId: string, client: number): [LoadEntity, ...LoadEntity[]] {
  const at = (offset: number): LoadEntity => loadEntity(tenantId, client * entitiesPerClient + offset);
  return [at(0), ...Array.from({ length: entitiesPerClient - 1 }, (_, offset) => at(offset + 1))];
}
