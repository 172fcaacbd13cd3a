import { replayRecordId } from '#domain/transformation/dead-letter.ts';
import { contentHash } from '#platform/digest.ts';
import type { DeadLetterDoc } from '#platform/mongo/collections.ts';

/**
 * The id of the record that the next replay makes of a letter, or the one that has it now. A replay that was broken off may
 * have landed its record already: asked for the same again, it goes on with that one; a mended body, or force, makes another.
 */
export function nextRecordId({ _id, attempts, mended, claim }: DeadLetterDoc): string {
  const forced = claim?.forced === true;
  const asItWas = mended === undefined && !forced;
  return replayRecordId(_id, attempts.length + 1, asItWas ? undefined : contentHash([mended?.body ?? null, forced]));
}
