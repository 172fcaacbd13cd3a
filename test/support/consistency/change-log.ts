import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import type { ChangeEvent } from '#domain/assets/change.ts';
import type { EntityVersion } from '#domain/assets/entity.ts';
import { topics } from '#domain/topics.ts';
import type { Findings } from './findings.ts';

/** Everything on `lily.changes`, in the order of each partition; one entity's events are all in one. */
export type ChangeLog = readonly ChangeEvent[];

const readTimeoutMs = 120_000;

/** Reads `lily.changes` from its beginning to where it ends now. */
export async function readChangeLog(kafka: Kafka): Promise<ChangeLog> {
  const admin = kafka.admin();
  await admin.connect();
  let bounds;
  try {
    bounds = await admin.fetchTopicOffsets(topics.changes);
  } finally {
    await admin.disconnect();
  }
  const open = new Map(
    bounds
      .filter(({ low, high }) => Number(low) < Number(high))
      .map(({ partition, high }) => [partition, Number(high)]),
  );
  const events: ChangeEvent[] = [];
  if (open.size === 0) return events;
  const consumer = kafka.consumer({ groupId: `consistency-${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.changes], fromBeginning: true });
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('lily.changes was not read to its end in time')), readTimeoutMs);
      const eachBatch = async ({
        batch,
      }: {
        batch: { partition: number; messages: { offset: string; value: Buffer | null }[] };
      }) => {
        for (const { offset, value } of batch.messages) {
          const end = open.get(batch.partition);
          if (end === undefined || Number(offset) >= end) break;
          events.push(JSON.parse(value?.toString() ?? '') as ChangeEvent);
          if (Number(offset) + 1 >= end) open.delete(batch.partition);
        }
        if (open.size > 0) return;
        clearTimeout(late);
        resolve();
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return events;
}

export interface ChangeCounts {
  events: number;
  /** Events that came more than once, as they may after a crash. */
  repeated: number;
}

/** Every version has its event, under its own id, and the first of each come in the order of versions. */
export function checkChanges(
  log: ChangeLog,
  tenantId: string,
  versions: ReadonlyMap<string, readonly EntityVersion[]>,
  findings: Findings,
): ChangeCounts {
  const seen = new Set<string>();
  const reached = new Map<string, number>();
  let events = 0;
  for (const { id, tenant, data } of log) {
    if (tenant !== tenantId) continue;
    events += 1;
    if (seen.has(id)) continue;
    seen.add(id);
    const version = versions.get(data.metadata_id)?.[data.version - 1];
    if (version === undefined || id !== `${data.metadata_id}:${data.version}`) {
      findings.add(
        'invented event',
        id,
        `is about version ${data.version} of ${data.metadata_id}, which does not exist`,
      );
      continue;
    }
    if (data.record_id !== version.record_id || data.change !== version.change) {
      findings.add(
        'wrong event',
        id,
        `says ${data.change} by ${data.record_id}, the version ${version.change} by ${version.record_id}`,
      );
    }
    const before = reached.get(data.metadata_id) ?? 0;
    if (data.version !== before + 1) findings.add('event out of order', id, `comes after version ${before}`);
    reached.set(data.metadata_id, Math.max(before, data.version));
  }
  for (const [entityId, history] of versions) {
    for (const { version } of history) {
      if (!seen.has(`${entityId}:${version}`))
        findings.add('missing event', `${entityId}:${version}`, 'is not on lily.changes');
    }
  }
  return { events, repeated: events - seen.size };
}
