import { setTimeout as sleep } from 'node:timers/promises';
import type { IngestRecord } from '#domain/assets/record.ts';
import { entityKey, ingestHeaders, topics } from '#domain/topics.ts';
import { newRecordId } from '#platform/digest.ts';
import type { GroupCommitProducer } from '#platform/kafka/producer.ts';
import { recordText } from '#test/support/consistency/expected-history.ts';
import type { LoadEntity } from './content.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { nextContent } from './rest-load.ts';

export interface StreamLoadOptions {
  producer: GroupCommitProducer;
  ledger: Ledger;
  random: Random;
  entities: readonly [LoadEntity, ...LoadEntity[]];
  isAhead: () => boolean;
  goesOn: () => boolean;
}

interface Outgoing {
  entity: LoadEntity;
  recordId: string;
  value: string;
  content: string | undefined;
}

/**
 * Somebody who writes to `lily.ingest` directly, as the streaming door allows: also deletions among updates in one go,
 * and records that are not JSON or not what the contract says. A send that failed is repeated with the same record ids.
 */
export async function streamLoad(options: StreamLoadOptions): Promise<void> {
  const { producer, ledger, random, entities } = options;
  while (options.goesOn()) {
    await sleep(100 + random.below(400));
    if (options.isAhead()) continue;
    const burst = Array.from({ length: 1 + random.below(80) }, () => outgoing(random.pick(entities), random));
    while (options.goesOn()) {
      try {
        await producer.send(topics.ingest, burst.map(message));
        for (const { entity, recordId, content } of burst) {
          ledger.acknowledge({ tenantId: entity.tenantId, entityId: entity.entityId, recordId, content });
        }
        break;
      } catch {
        ledger.failedAttempts += 1;
        await sleep(500);
      }
    }
  }
}

function outgoing(entity: LoadEntity, random: Random): Outgoing {
  const { entityType: entity_type, qualifiedName: qualified_name } = entity;
  const recordId = newRecordId();
  const roll = random.next();
  if (roll < 0.02) return { entity, recordId, value: '{"op":"upsert",', content: undefined };
  if (roll < 0.04)
    return {
      entity,
      recordId,
      value: JSON.stringify({ op: 'rename', entity_type, qualified_name }),
      content: undefined,
    };
  const record: IngestRecord =
    roll < 0.16
      ? { op: 'delete', entity_type, qualified_name }
      : { op: 'upsert', ...nextContent(entity, random), entity_type, qualified_name };
  if (random.chance(0.05)) record.expected_version = 1 + random.below(6);
  const content = record.op === 'delete' ? undefined : recordText(entity.tenantId, record);
  return { entity, recordId, value: JSON.stringify(record), content };
}

function message({ entity, recordId, value }: Outgoing) {
  return {
    key: entityKey(entity.tenantId, entity.entityId),
    value,
    headers: {
      [ingestHeaders.tenant]: entity.tenantId,
      [ingestHeaders.recordId]: recordId,
      [ingestHeaders.receivedAt]: new Date().toISOString(),
      [ingestHeaders.actor]: 'chaos-stream',
      [ingestHeaders.door]: 'stream',
    },
  };
}
