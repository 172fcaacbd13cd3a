import type { Db } from 'mongodb';
import { transformWorkflowId } from '#domain/transformation/batch.ts';
import { collections } from './collections.ts';
import { deadLetters } from './dead-letters.ts';
import { rawRecords } from './raw-records.ts';
import { TenantCollection } from './tenant-collection.ts';

/** Where one acknowledged record is. */
export interface RecordStatus {
  record_id: string;
  /** `pending` until every store has it. */
  state: 'pending' | 'applied' | 'unchanged' | 'rejected';
  metadata_id: string;
  /** The version that the record made. */
  version?: number;
  reason?: string;
  detail?: string;
  received_at: Date;
  /** The Temporal workflow that processes it. */
  workflow_id: string;
}

export type Records = ReturnType<typeof records>;

/** Follows single records through the pipeline. */
export function records(db: Db) {
  const raw = rawRecords(db);
  const letters = deadLetters(db);
  const { entityVersions } = collections(db);

  return {
    /** The record's state; undefined until it has landed, which takes milliseconds, or when it is another tenant's. */
    async recordStatus(tenantId: string, recordId: string): Promise<RecordStatus | undefined> {
      const record = await raw.record(tenantId, recordId);
      if (record === null) return undefined;
      const base = {
        record_id: recordId,
        metadata_id: record.entity_id,
        received_at: record.received_at,
        workflow_id: transformWorkflowId(record.batch_id),
      };
      // Applied means applied everywhere: the steps behind the store may still be under way when its version is there.
      const batch = await raw.batch(tenantId, record.batch_id);
      if (batch?.closed_at === undefined) return { ...base, state: 'pending' };
      const version = await new TenantCollection(entityVersions, tenantId).findOne(
        { batch_id: record.batch_id, record_id: recordId },
        { projection: { version: 1 } },
      );
      if (version !== null) return { ...base, state: 'applied', version: version.version };
      const letter = await letters.get(tenantId, recordId);
      if (letter !== undefined) return { ...base, state: 'rejected', reason: letter.reason, detail: letter.detail };
      return { ...base, state: 'unchanged' };
    },
  };
}
