import type { EntityVersion } from '#domain/assets/entity.ts';
import type { PreparedRecord } from './prepare.ts';

export interface Remaining {
  /** Records that are still to be decided, in their order. */
  open: PreparedRecord[];
  /** Records that the earlier attempt refused because their `If-Match` did not hold, and what it found. */
  refused: { record: PreparedRecord; found: number }[];
}

/**
 * What an earlier attempt at a batch has left to do. Versions go in in the order of their records, so a version that is
 * there says that every record of its entity before it was decided too: one of those that made no version changed nothing,
 * or was refused. Comparing it anew, with what came after it, would apply it out of order.
 * @param versions what the earlier attempt wrote, each entity's in order.
 */
export function remainingAfter(records: readonly PreparedRecord[], versions: readonly EntityVersion[]): Remaining {
  const made = Map.groupBy(versions, (version) => version.entity_id);
  const remaining: Remaining = { open: [], refused: [] };
  for (const record of records) {
    const [next, ...later] = made.get(record.entityId) ?? [];
    if (next === undefined) {
      remaining.open.push(record);
    } else if (next.record_id === record.recordId) {
      made.set(record.entityId, later);
    } else {
      const found = next.change === 'created' ? 0 : next.version - 1;
      const { expectedVersion } = record;
      if (expectedVersion !== undefined && expectedVersion !== found) remaining.refused.push({ record, found });
    }
  }
  return remaining;
}
