import { MongoServerError, type Db } from 'mongodb';
import { collections } from './collections.ts';

export type IntakeRanges = ReturnType<typeof intakeRanges>;

/** A stretch of a partition; both offsets are inclusive. */
export interface IntakeRange {
  topic: string;
  partition: number;
  from: number;
  to: number;
  /** The id of the record at `from`: tells a partition from one that was made anew and counts from 0 again. */
  firstRecordId: string;
}

/** The batch that a range became. */
export interface IntakeBatch {
  /** The last offset of the batch: that of the range, or the one that was cut before. */
  to: number;
  /** `{from}-{to}`, unique within the partition over all its lives. */
  name: string;
}

/**
 * Remembers how each partition was cut into batches. After a crash Kafka delivers again from the last commit, perhaps
 * with more records behind it; the batch must come out the same, so that its workflow id finds the workflow that ran.
 */
export function intakeRanges(db: Db) {
  const { intakeRanges: ranges } = collections(db);

  async function takeAs(_id: string, { to, firstRecordId }: IntakeRange): Promise<{ to: number; isOurs: boolean }> {
    try {
      await ranges.insertOne({ _id, to, first_record_id: firstRecordId, taken_at: new Date() });
      return { to, isOurs: true };
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== 11_000) throw error;
      const taken = await ranges.findOne({ _id });
      return { to: taken?.to ?? to, isOurs: taken === null || taken.first_record_id === firstRecordId };
    }
  }

  return {
    /** Takes the range as one batch, unless a batch was cut at its beginning before. */
    async take(range: IntakeRange): Promise<IntakeBatch> {
      const { topic, partition, from, firstRecordId } = range;
      const _id = `${topic}:${partition}:${from}`;
      const { to, isOurs } = await takeAs(_id, range);
      if (isOurs) return { to, name: `${from}-${to}` };
      // The offset belonged to another record: the topic was made anew. Its batches must not be taken for the old ones.
      const again = await takeAs(`${_id}:${firstRecordId}`, range);
      return { to: again.to, name: `${from}-${again.to}:${firstRecordId}` };
    },
  };
}
