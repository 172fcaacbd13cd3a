import { setTimeout as sleep } from 'node:timers/promises';
import type { Receipt } from '#domain/transformation/batch.ts';
import type { Records, RecordStatus } from '#platform/mongo/records.ts';
import { inTime } from '../http/outage.ts';

/** A write that was sent before, and what is known of it. */
export interface EarlierWrite {
  metadataId: string;
  /** Present when the caller waits and it has come to its end. */
  receipt: Receipt | undefined;
}

const lookMs = 100;

/**
 * What became of a record, if it was sent before: by a request with the same Idempotency-Key whose answer was lost. Waits for
 * its end as long as the caller is willing to.
 * @param done what the record did to its entity if it was applied
 */
export async function earlierWrite(
  records: Pick<Records, 'recordStatus'>,
  { tenantId, recordId, done }: { tenantId: string; recordId: string; done: 'updated' | 'deleted' },
  waitSeconds: number | undefined,
): Promise<EarlierWrite | undefined> {
  const look = () => inTime('MongoDB', records.recordStatus(tenantId, recordId));
  const deadline = Date.now() + (waitSeconds ?? 0) * 1_000;
  let status = await look();
  while (status?.state === 'pending' && Date.now() < deadline) {
    await sleep(lookMs);
    status = await look();
  }
  if (status === undefined) return undefined;
  const receipt = waitSeconds === undefined ? undefined : receiptOf(status, done);
  return { metadataId: status.metadata_id, receipt };
}

function receiptOf(status: RecordStatus, done: 'updated' | 'deleted'): Receipt | undefined {
  const base = { recordId: status.record_id, workflowId: status.workflow_id };
  switch (status.state) {
    case 'pending':
      return undefined;
    case 'applied':
      return { ...base, outcome: done, ...(status.version === undefined ? {} : { version: status.version }) };
    case 'unchanged':
      return { ...base, outcome: 'unchanged' };
    case 'rejected': {
      const outcome = status.reason === 'version-mismatch' ? 'version-mismatch' : 'rejected';
      return { ...base, outcome, ...(status.detail === undefined ? {} : { reason: status.detail }) };
    }
  }
}
