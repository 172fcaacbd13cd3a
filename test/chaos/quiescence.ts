import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Kafka } from 'kafkajs';
import type { Db } from 'mongodb';
import { topics } from '#domain/topics.ts';
import { collections } from '#platform/mongo/collections.ts';

export interface QuietDeps {
  kafka: Kafka;
  db: Db;
  temporal: Client;
}

const pollMs = 1_000;

/**
 * Waits until nothing is under way: the streaming door has no lag, every batch is closed, no workflow runs.
 * @returns what was still under way when the time ran out; undefined when all is quiet.
 */
export async function untilQuiet(deps: QuietDeps, timeoutMs: number): Promise<string | undefined> {
  const admin = deps.kafka.admin();
  await admin.connect();
  try {
    for (const deadline = Date.now() + timeoutMs; ; await sleep(pollMs)) {
      const [ends, committed, open, running] = await Promise.all([
        admin.fetchTopicOffsets(topics.ingest),
        admin.fetchOffsets({ groupId: 'lily-streaming-door', topics: [topics.ingest] }),
        collections(deps.db).batches.countDocuments({ closed_at: { $exists: false } }),
        deps.temporal.workflow.count('ExecutionStatus = "Running"'),
      ]);
      const done = new Map(
        committed[0]?.partitions.map(({ partition, offset }) => [partition, Math.max(0, Number(offset))]),
      );
      const lag = ends.reduce((sum, { partition, high }) => sum + Number(high) - (done.get(partition) ?? 0), 0);
      if (lag === 0 && open === 0 && running.count === 0) return undefined;
      if (Date.now() > deadline) return `lag ${lag}, open batches ${open}, running workflows ${running.count}`;
    }
  } finally {
    await admin.disconnect();
  }
}
