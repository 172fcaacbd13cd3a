import type { EntityVersion } from '#domain/assets/entity.ts';
import { transformWorkflowId, type Receipt } from '#domain/transformation/batch.ts';
import type { DeadLetter } from '#domain/transformation/dead-letter.ts';

export interface WaitingRecord {
  recordId: string;
  entityId: string;
  /** The API instance that waits. */
  replyTo: string;
}

/** Tells each waiting request what became of its record. `presentVersions` are those of the entities, for records that changed nothing. */
export function receiptsFor(
  batchId: string,
  waiting: readonly WaitingRecord[],
  versions: readonly EntityVersion[],
  letters: readonly DeadLetter[],
  presentVersions: ReadonlyMap<string, { version: number }>,
): { replyTo: string; receipt: Receipt }[] {
  const versionOf = new Map(versions.map((version) => [version.record_id, version]));
  const letterOf = new Map(letters.map((letter) => [letter.record_id, letter]));
  const workflowId = transformWorkflowId(batchId);
  return waiting.map(({ recordId, entityId, replyTo }) => {
    const version = versionOf.get(recordId);
    const letter = letterOf.get(recordId);
    if (version !== undefined) {
      return { replyTo, receipt: { recordId, outcome: version.change, version: version.version, workflowId } };
    }
    if (letter !== undefined) {
      const outcome = letter.reason === 'version-mismatch' ? 'version-mismatch' : 'rejected';
      return { replyTo, receipt: { recordId, outcome, reason: letter.detail, workflowId } };
    }
    const present = presentVersions.get(entityId);
    return {
      replyTo,
      receipt: { recordId, outcome: 'unchanged', ...(present && { version: present.version }), workflowId },
    };
  });
}
