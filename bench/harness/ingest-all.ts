import type { IngestBody } from '#domain/assets/record.ts';
import { topics } from '#domain/topics.ts';
import { untilChanges, type Bench } from './context.ts';
import { HttpConnection } from './http-connection.ts';

/** Ingests entities that are new to the tenant, and waits until all of them are stored. */
export async function ingestAll(bench: Bench, token: string, bodies: readonly IngestBody[]): Promise<void> {
  const connection = new HttpConnection(bench.stack.addresses.api);
  const before = await bench.endOf(topics.changes);
  for (let start = 0; start < bodies.length; start += 500) {
    const part = bodies.slice(start, start + 500);
    const { status, body } = await connection.request(
      'POST',
      '/ingest-metadata',
      { Authorization: `Bearer ${token}` },
      JSON.stringify(part),
    );
    if (status !== 202) throw new Error(`an array got ${status}: ${body.slice(0, 300)}`);
  }
  connection.close();
  await untilChanges(bench, before, bodies.length, 120_000);
}
