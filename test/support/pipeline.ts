import { randomBytes } from 'node:crypto';
import type { IngestRecord } from '#domain/assets/record.ts';
import type { BatchRef } from '#domain/transformation/batch.ts';
import { metadataId } from '#platform/digest.ts';
import type { NewRawRecord } from '#platform/mongo/raw-records.ts';

/** A tenant that no other test uses. */
export function freshTenant(prefix = 't'): string {
  return `${prefix}${randomBytes(6).toString('hex')}`;
}

export function batchOf(tenantId: string, name: string): BatchRef {
  return { tenantId, batchId: `${tenantId}:test:${name}`, source: 'test' };
}

/** Raw records of a batch, one a body, arriving one millisecond apart. */
export function rawRecordsOf(ref: BatchRef, bodies: IngestRecord[], from = 0): NewRawRecord[] {
  return bodies.map((body, index) => ({
    recordId: `${ref.batchId}:${index}`,
    seq: index,
    entityId: metadataId(ref.tenantId, body.entity_type, body.qualified_name),
    receivedAt: new Date(Date.UTC(2026, 0, 1) + from + index),
    door: 'rest',
    actor: 'ada',
    body: JSON.stringify(body),
  }));
}

export function table(name: string, description: string, upstream: string[] = []): IngestRecord {
  return {
    op: 'upsert',
    entity_type: 'table',
    qualified_name: name,
    attributes: { name, description },
    upstream: upstream.map((qualified_name) => ({ entity_type: 'table', qualified_name })),
  };
}
