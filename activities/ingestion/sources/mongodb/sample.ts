import { FieldTree } from '../shared/field-tree.ts';
import { bsonKind } from './bson-kind.ts';
import type { Collection } from './catalog.ts';
import type { MongodbSession } from './connection.ts';

/** Bytes of a collection's documents that are looked at. */
const sampleBytes = 8 * 1024 * 1024;

export interface Sample {
  tree: FieldTree;
  documents: number;
  /** Bytes of the documents that the server was asked for, as far as they were looked at. */
  bytes: number;
  /** Whether this was every document and everything in them: only then is a field that was not seen a field that is not there. */
  isWhole: boolean;
}

export interface SampleOptions {
  limit: number;
  /** `whole`: only a collection that has no more than `limit` documents is looked at. */
  sampling: 'ends' | 'random' | 'whole';
}

/**
 * Looks at documents of a collection: at all of them where they are few; else at the oldest and the newest, the same ones every
 * time, or at random ones.
 */
export async function readSample(
  session: MongodbSession,
  database: string,
  collection: Collection,
  { limit, sampling }: SampleOptions,
): Promise<Sample> {
  const tree = new FieldTree(bsonKind);
  if (limit === 0) return { tree, documents: 0, bytes: 0, isWhole: false };
  let [documents, all, left] = [0, 0, sampleBytes];
  const where = { database, collection: collection.name };
  /** Whether it read to the end of what there is. */
  const take = async (wanted: number, bytes: number, sort?: Record<string, 1 | -1>): Promise<boolean> => {
    let [taken, spent] = [0, 0];
    // One more than wanted tells whether there is more.
    for await (const one of session.documents({ ...where, limit: wanted + 1, ...(sort && { sort }) })) {
      all += one.bytes;
      if (taken === wanted || spent + one.bytes > bytes) return false;
      tree.add(one.document);
      taken += 1;
      documents += 1;
      spent += one.bytes;
      left -= one.bytes;
    }
    return true;
  };
  const key = orderOf(collection);
  const half = Math.ceil(limit / 2);
  const fits = await fitsWhole(session, where, limit, key);
  if (fits) {
    const isAll = await take(limit, sampleBytes, { [key]: 1 });
    return { tree, documents, bytes: all, isWhole: isAll && !tree.isCut };
  }
  if (sampling === 'random') {
    await take(limit, sampleBytes);
  } else if (sampling === 'ends') {
    await take(half, sampleBytes / 2, { [key]: 1 });
    await take(limit - half, left, { [key]: -1 });
  }
  return { tree, documents, bytes: all, isWhole: false };
}

/** Whether the collection has no more documents than `limit`: by counting that far, which an index answers. */
async function fitsWhole(
  session: MongodbSession,
  { database, collection }: { database: string; collection: string },
  limit: number,
  key: string,
): Promise<boolean> {
  const counted = await session.command(database, {
    count: collection,
    query: {},
    limit: limit + 1,
    ...(key === '_id' ? { hint: { _id: 1 } } : {}),
  });
  return Number(counted['n']) <= limit;
}

/** The order in which a collection can be read from both ends without sorting it. */
function orderOf({ type, options }: Collection): string {
  const timeseries = options['timeseries'] as { timeField?: string } | undefined;
  return type === 'timeseries' ? (timeseries?.timeField ?? '_id') : '_id';
}
