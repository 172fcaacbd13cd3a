import type { connectMongo } from '#platform/mongo/client.ts';
import type { connectNeo4j } from '#platform/neo4j/client.ts';
import type { connectTemporal } from '#platform/temporal/client.ts';
import type { Probe } from './readiness.ts';

interface Early {
  neo4j: ReturnType<typeof connectNeo4j>;
  feed: { probe(): Promise<void> };
  issuer: string;
}

/** What is only there once it has been reached for the first time. */
interface Late {
  mongo: Awaited<ReturnType<typeof connectMongo>>;
  temporal: Awaited<ReturnType<typeof connectTemporal>>;
}

/** A sign of life of every server behind Lily. */
export function dependencyProbes({ neo4j, feed, issuer }: Early) {
  let late: Late | undefined;
  const reached = (): Late => {
    if (late === undefined) throw new Error('has not been reached yet');
    return late;
  };
  const all: Record<string, Probe> = {
    mongodb: async () => reached().mongo.db.command({ ping: 1 }),
    kafka: () => feed.probe(),
    neo4j: () => neo4j.getServerInfo(),
    temporal: async () => reached().temporal.connection.workflowService.getSystemInfo({}),
    'identity-provider': () => discoveryAnswers(issuer),
  };
  return {
    all,
    found(found: Late): void {
      late = found;
    },
    async close(): Promise<void> {
      await Promise.allSettled([late?.mongo.client.close(), late?.temporal.connection.close()]);
    },
  };
}

async function discoveryAnswers(issuer: string): Promise<void> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(2_000), redirect: 'error' });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`answers ${response.status}`);
}
