import type { DeadLetterReason } from '#domain/transformation/dead-letter.ts';
import type { DeadLetterDoc, RawRecordDoc } from '#platform/mongo/collections.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import { nextRecordId } from '../replay/record-id.ts';

export interface SpeakerDeps {
  rawRecords: Pick<RawRecords, 'records'>;
  deadLetters: Pick<DeadLetters, 'getMany'>;
}

/** Refused for what was stored then, not for what they say: today's transformation has nothing to add. */
const refusedByState: readonly DeadLetterReason[] = ['version-mismatch', 'superseded', 'not-found'];

/**
 * Those of the records that say something today. A record that became a dead letter and the replays of it are one saying,
 * all of the same moment: the last of them speaks, with the body that somebody mended, and none once the letter is discarded.
 */
export async function speaking(deps: SpeakerDeps, tenantId: string, raws: RawRecordDoc[]): Promise<RawRecordDoc[]> {
  const ids = raws.flatMap(({ _id, repeats }) => (repeats === undefined ? [_id] : [_id, repeats]));
  const letters = await deps.deadLetters.getMany(tenantId, ids);
  if (letters.size === 0) return raws;
  // A replay that is under way, or was broken off, has noted nothing in the letter yet; but its record may be applied.
  const untold = await deps.rawRecords.records(tenantId, [...letters.values()].map(nextRecordId));
  return raws.filter((raw) => {
    const own = letters.get(raw._id);
    if (own !== undefined && refusedByState.includes(own.reason)) return false;
    const letter = letters.get(raw.repeats ?? raw._id);
    return letter === undefined || speakerOf(letter, untold) === raw._id;
  });
}

function speakerOf(letter: DeadLetterDoc, untold: ReadonlyMap<string, RawRecordDoc>): string | undefined {
  if (letter.state === 'discarded') return undefined;
  const next = nextRecordId(letter);
  return untold.has(next) ? next : (letter.attempts.at(-1)?.record_id ?? letter._id);
}
