import type { Db, Document } from 'mongodb';
import { repeated, throughput, type Distribution } from '../harness/stats.ts';
import { tableBody } from '../harness/records.ts';

const batch = 500;

export interface MongoCeilings {
  /** Documents a second by insertMany in batches of 500, majority and journal. */
  inserted: number;
  /** Documents a second by bulk upsert in batches of 500, with one unique index. */
  upserted: number;
  /** One insert at a time, in milliseconds. */
  single: Distribution;
  /** findOne by _id, 16 at once, a second. */
  found: number;
}

/** The bare driver, with the write concern that Lily uses. */
export async function mongoCeilings(db: Db, seconds: number): Promise<MongoCeilings> {
  const raw = db.collection<Document & { _id: string }>('bench_raw');
  const entities = db.collection<Document & { _id: string }>('bench_entities');
  await entities.createIndex({ tenant_id: 1, entity_type: 1, qualified_name: 1 }, { unique: true });
  let next = 0;
  const documents = (): (Document & { _id: string })[] =>
    Array.from({ length: batch }, () => ({ _id: `id-${next}`, tenant_id: 'bench', ...tableBody('raw', next++) }));
  const insert = async (): Promise<number> => {
    await raw.insertMany(documents(), { ordered: false });
    return batch;
  };
  const upsert = async (): Promise<number> => {
    const operations = documents().map((document) => ({
      replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
    }));
    await entities.bulkWrite(operations, { ordered: false });
    return batch;
  };
  try {
    await throughput(2, 1, insert);
    const inserted = await throughput(2, seconds, insert);
    const known = next;
    const upserted = await throughput(2, seconds, upsert);
    const single = await repeated(100, 5, (index) =>
      raw.insertOne({ _id: `single-${index}`, ...tableBody('single', index) }),
    );
    const found = await throughput(16, seconds, async (index) => {
      await raw.findOne({ _id: `id-${index % known}` });
      return 1;
    });
    return { inserted, upserted, single, found };
  } finally {
    await Promise.all([raw.drop(), entities.drop()]);
  }
}
