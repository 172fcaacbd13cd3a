import { MongoServerError, type Db } from 'mongodb';
import { collections } from './collections.ts';

export type IntakeRanges = ReturnType<typeof intakeRanges>;

/**
 * Remembers how each partition was cut into batches. After a crash Kafka delivers again from the last commit, perhaps
 * with more records behind it; the batch must come out the same, so that its workflow id finds the workflow that ran.
 */
export function intakeRanges(db: Db) {
  const { intakeRanges: ranges } = collections(db);
  return {
    /**
     * Takes `from` to `to` (both inclusive) as one batch, unless a batch was cut at `from` before.
     * @returns the last offset of the batch that holds: `to`, or the one that was cut before.
     */
    async take(topic: string, partition: number, from: string, to: string): Promise<string> {
      const _id = `${topic}:${partition}:${from}`;
      try {
        await ranges.insertOne({ _id, to, taken_at: new Date() });
        return to;
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== 11_000) throw error;
        return (await ranges.findOne({ _id }))?.to ?? to;
      }
    },
  };
}
