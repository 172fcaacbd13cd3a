import { MongoServerError, type Collection, type Db } from 'mongodb';
import { limits } from '#domain/limits.ts';

/** An answer that is kept, to be given again. */
export interface KeptAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** The body as JSON text. */
  body: string;
}

/** Whose key it is, and for what. */
export interface KeyUse {
  tenantId: string;
  userId: string;
  key: string;
  /** Digest of the request that the key stands for. */
  fingerprint: string;
  /** Offered as the seed of record ids; the first request's stays. */
  seed: string;
}

/**
 * What a key means for a request that carries it:
 * `run` it (with the seed of the first attempt, so that running again does nothing twice), give the `kept` answer,
 * wait because the first request is still `running`, or refuse because the key stands for `another-request`.
 */
export type Reservation =
  | { state: 'run'; seed: string }
  | { state: 'kept'; answer: KeptAnswer }
  | { state: 'running' }
  | { state: 'another-request' };

export interface IdempotencyKeys {
  reserve(use: KeyUse): Promise<Reservation>;
  keep(use: KeyUse, answer: KeptAnswer): Promise<void>;
  /** The request had no effect, or none that is known: the next one with the key runs at once. */
  release(use: KeyUse): Promise<void>;
}

interface KeyDoc {
  _id: { tenant: string; user: string; key: string };
  fingerprint: string;
  seed: string;
  /** While in the future, a request runs. */
  running_until: Date;
  answer?: KeptAnswer;
  expires_at: Date;
}

/** Longer than the longest wait of a request; after it, a request that died is taken over by the next. */
const leaseMs = (limits.waitSeconds + 30) * 1_000;
const duplicateKey = 11_000;

export function idempotencyKeys(db: Db): IdempotencyKeys {
  const keys = collectionOf(db);
  return {
    async reserve(use) {
      const now = Date.now();
      const lease = new Date(now + leaseMs);
      try {
        const expires = new Date(now + limits.idempotencyHours * 3_600_000);
        const { fingerprint, seed } = use;
        await keys.insertOne({ _id: idOf(use), fingerprint, seed, running_until: lease, expires_at: expires });
        return { state: 'run', seed };
      } catch (error) {
        if (!(error instanceof MongoServerError) || error.code !== duplicateKey) throw error;
      }
      const found = await keys.findOne({ _id: idOf(use) });
      if (found === null) return { state: 'running' };
      if (found.fingerprint !== use.fingerprint) return { state: 'another-request' };
      if (found.answer !== undefined) return { state: 'kept', answer: found.answer };
      const taken = await keys.updateOne(
        { _id: found._id, answer: { $exists: false }, running_until: { $lte: new Date(now) } },
        { $set: { running_until: lease } },
      );
      return taken.modifiedCount === 1 ? { state: 'run', seed: found.seed } : { state: 'running' };
    },

    async keep(use, answer) {
      await keys.updateOne({ _id: idOf(use), fingerprint: use.fingerprint }, { $set: { answer } });
    },

    async release(use) {
      await keys.updateOne(
        { _id: idOf(use), fingerprint: use.fingerprint, answer: { $exists: false } },
        { $set: { running_until: new Date(0) } },
      );
    },
  };
}

/** Creates the index that forgets keys after {@link limits.idempotencyHours}; harmless to repeat. */
export async function ensureIdempotencyIndexes(db: Db): Promise<void> {
  await collectionOf(db).createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
}

function collectionOf(db: Db): Collection<KeyDoc> {
  return db.collection('idempotency_keys');
}

function idOf({ tenantId, userId, key }: KeyUse): KeyDoc['_id'] {
  return { tenant: tenantId, user: userId, key };
}
