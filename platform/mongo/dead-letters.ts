import type { Db } from 'mongodb';
import type { DeadLetter } from '#domain/transformation/dead-letter.ts';
import { collections } from './collections.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection } from './tenant-collection.ts';

export type DeadLetters = ReturnType<typeof deadLetters>;

/** Where records that could not be processed wait, with the reason, to be mended and replayed. */
export function deadLetters(db: Db) {
  const { deadLetters: letters } = collections(db);
  const of = (tenantId: string) => new TenantCollection(letters, tenantId);
  return {
    /** Keeps them; a record that is here already stays as it is, so a retry changes nothing. */
    async put(tenantId: string, items: DeadLetter[]): Promise<void> {
      if (items.length === 0) return;
      const documents = items.map((item) => ({ _id: item.record_id, ...item }));
      try {
        await of(tenantId).insertMany(documents, { ordered: false });
      } catch (error) {
        if (duplicatesOnly(error) === undefined) throw error;
      }
    },

    async get(tenantId: string, recordId: string): Promise<DeadLetter | undefined> {
      return (await of(tenantId).findOne({ _id: recordId }, { projection: { _id: 0 } })) ?? undefined;
    },

    async ofBatch(tenantId: string, batchId: string): Promise<DeadLetter[]> {
      return of(tenantId)
        .find({ batch_id: batchId }, { projection: { _id: 0 } })
        .toArray();
    },
  };
}
