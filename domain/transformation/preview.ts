import type { Entity, EntityVersion } from '../assets/entity.ts';
import type { IngestRecord } from '../assets/record.ts';

/** A record whose effect somebody wants to know before it takes place. */
export interface RecordToPreview {
  recordId: string;
  record: IngestRecord;
}

/** What a record would do. */
export type Previewed =
  | { recordId: string; outcome: EntityVersion['change']; changedFields: string[]; after: Entity }
  | { recordId: string; outcome: 'unchanged'; after: Entity | undefined }
  | { recordId: string; outcome: 'rejected'; detail: string };

/**
 * Says what records would do, in their order, by the very rules and plans that would apply them. Writes nothing.
 * @param earlier entities as earlier records of the same source would have left them; the others are as they are stored
 */
export type PreviewRecords = (
  tenantId: string,
  actor: string,
  records: readonly RecordToPreview[],
  earlier: ReadonlyMap<string, Entity>,
) => Promise<Previewed[]>;
