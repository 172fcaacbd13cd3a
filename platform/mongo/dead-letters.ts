import type { Db, Filter } from 'mongodb';
import type { BatchRef } from '#domain/transformation/batch.ts';
import type { DeadLetter, DeadLetterState, ReplayAttempt } from '#domain/transformation/dead-letter.ts';
import type { LetterFilter } from '#domain/transformation/job.ts';
import { collections, type DeadLetterDoc, type LetterClaim } from './collections.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection } from './tenant-collection.ts';

export type DeadLetters = ReturnType<typeof deadLetters>;

/** A page of letters, the newest first. */
export interface LetterPage extends LetterFilter {
  /** The last letter of the page before. */
  after?: { failedAt: Date; recordId: string } | undefined;
  limit: number;
}

export interface LettersOfReplay {
  job: string;
  page: number;
}

export interface ClaimPlan extends LettersOfReplay {
  filter: LetterFilter;
  /** One letter only. */
  recordId?: string | undefined;
  /** Letters that failed later are left alone: a replay does not chase what it has just made. */
  notAfter: Date;
  limit: number;
  by: string;
  forced: boolean;
}

/** What became of a letter in a replay. `release`: it was not tried, and is as before. */
export type LetterOutcome = { recordId: string } & ({ attempt: ReplayAttempt } | { release: DeadLetterState });

/** Where records that could not be processed wait, with the reason, to be mended and replayed. */
export function deadLetters(db: Db) {
  const { deadLetters: letters } = collections(db);
  const of = (tenantId: string) => new TenantCollection(letters, tenantId);
  const claimedBy = (tenantId: string, { job, page }: LettersOfReplay): Promise<DeadLetterDoc[]> =>
    of(tenantId).find({ 'claim.job': job, 'claim.page': page }).sort({ received_at: 1, _id: 1 }).toArray();

  return {
    /** Keeps them; a record that is here already stays as it is, so a retry changes nothing. */
    async put({ tenantId, source }: Pick<BatchRef, 'tenantId' | 'source'>, items: DeadLetter[]): Promise<void> {
      if (items.length === 0) return;
      const documents = items.map((item): DeadLetterDoc => ({
        _id: item.record_id,
        ...item,
        source,
        state: item.reason === 'dropped-by-rule' ? 'dropped' : 'open',
        attempts: [],
      }));
      try {
        await of(tenantId).insertMany(documents, { ordered: false });
      } catch (error) {
        if (duplicatesOnly(error) === undefined) throw error;
      }
    },

    async get(tenantId: string, recordId: string): Promise<DeadLetterDoc | undefined> {
      return (await of(tenantId).findOne({ _id: recordId })) ?? undefined;
    },

    async getMany(tenantId: string, recordIds: string[]): Promise<Map<string, DeadLetterDoc>> {
      const found = await of(tenantId)
        .find({ _id: { $in: recordIds } })
        .toArray();
      return new Map(found.map((letter) => [letter._id, letter]));
    },

    async ofBatch(tenantId: string, batchId: string): Promise<DeadLetter[]> {
      return of(tenantId)
        .find({ batch_id: batchId }, { projection: { _id: 0 } })
        .toArray();
    },

    /** Letters, the newest first. What a replay was refused for is told by the letter that was replayed. */
    async list(tenantId: string, page: LetterPage): Promise<DeadLetterDoc[]> {
      const { after, limit, ...filter } = page;
      const behind: Filter<DeadLetterDoc> =
        after === undefined
          ? {}
          : {
              $or: [
                { failed_at: { $lt: after.failedAt } },
                { failed_at: after.failedAt, _id: { $lt: after.recordId } },
              ],
            };
      return of(tenantId)
        .find({ $and: [matching(tenantId, filter), behind] })
        .sort({ failed_at: -1, _id: -1 })
        .limit(limit)
        .toArray();
    },

    async countByReason(tenantId: string, filter: LetterFilter): Promise<Map<string, number>> {
      return of(tenantId).countBy('reason', matching(tenantId, filter));
    },

    /** Gives a letter another body for its replays. Undefined when it is not one that waits. */
    async mend(tenantId: string, recordId: string, body: string, by: string): Promise<DeadLetterDoc | undefined> {
      const waiting = { _id: recordId, state: { $in: ['open', 'dropped'] as DeadLetterState[] } };
      const update = { $set: { mended: { body, at: new Date(), by } } };
      return (await of(tenantId).findOneAndUpdate(waiting, update)) ?? undefined;
    },

    /** Decides that a letter stays out. Undefined when it is not one that waits. */
    async discard(tenantId: string, recordId: string, reason: string, by: string): Promise<DeadLetterDoc | undefined> {
      const waiting = { _id: recordId, state: { $in: ['open', 'dropped'] as DeadLetterState[] } };
      const update = { $set: { state: 'discarded' as const, discarded: { reason, at: new Date(), by } } };
      return (await of(tenantId).findOneAndUpdate(waiting, update)) ?? undefined;
    },

    /**
     * Takes the next letters for a page of a replay, in the order in which their records arrived. Each letter goes to one
     * replay at a time. Asked again for the same page, it answers what that page has.
     */
    async claim(tenantId: string, plan: ClaimPlan): Promise<DeadLetterDoc[]> {
      const { job, page, filter, recordId, notAfter, limit, by, forced } = plan;
      const own = await claimedBy(tenantId, plan);
      if (own.length > 0) return own;
      const from = filter.state ?? 'open';
      const wanted: Filter<DeadLetterDoc> = {
        ...matching(tenantId, { ...filter, state: from }),
        'attempts.job': { $ne: job },
        ...(recordId !== undefined && { _id: recordId }),
      };
      const next = await of(tenantId)
        .find({ $and: [wanted, { failed_at: { $lte: notAfter } }] }, { projection: { _id: 1 } })
        .sort({ received_at: 1, _id: 1 })
        .limit(limit)
        .toArray();
      if (next.length === 0) return [];
      const claim: LetterClaim = { job, page, from, by, forced };
      await of(tenantId).updateMany(
        { _id: { $in: next.map(({ _id }) => _id) }, state: from },
        { $set: { state: 'replaying', claim } },
      );
      return claimedBy(tenantId, plan);
    },

    claimedBy,

    /** Notes why a claimed letter is not tried at all. */
    async noteSuperseded(tenantId: string, recordId: string, detail: string): Promise<void> {
      await of(tenantId).updateOne({ _id: recordId, state: 'replaying' }, { $set: { 'claim.superseded': detail } });
    },

    /** Ends what a page of a replay has of letters. Done again, it changes nothing. */
    async settle(tenantId: string, { job, page }: LettersOfReplay, outcomes: LetterOutcome[]): Promise<void> {
      if (outcomes.length === 0) return;
      const operations = outcomes.map((outcome) => {
        const filter: Filter<DeadLetterDoc> = { _id: outcome.recordId, 'claim.job': job, 'claim.page': page };
        if ('release' in outcome) {
          return {
            updateOne: { filter, update: { $set: { state: outcome.release }, $unset: { claim: '' as const } } },
          };
        }
        const { attempt } = outcome;
        const again = attempt.outcome === 'rejected';
        const { reason, detail } = attempt;
        return {
          updateOne: {
            filter,
            update: {
              $set: {
                state: again ? ('open' as const) : ('resolved' as const),
                ...(again && reason !== undefined && { reason }),
                ...(again && detail !== undefined && { detail }),
              },
              $push: { attempts: attempt },
              $unset: { claim: '' as const },
            },
          },
        };
      });
      await of(tenantId).bulkWrite(operations, { ordered: false });
    },

    /** What a page of a replay came to, by outcome and reason. */
    async attemptsOf(tenantId: string, { job, page }: LettersOfReplay): Promise<ReplayAttempt[]> {
      const found = await of(tenantId)
        .find({ attempts: { $elemMatch: { job, page } } }, { projection: { attempts: 1 } })
        .toArray();
      return found.flatMap(({ attempts }) => attempts.filter((one) => one.job === job && one.page === page));
    },

    /** Lets go of all that a replay has which will never go on. */
    async release(tenantId: string, job: string): Promise<void> {
      for (const from of ['open', 'dropped'] as const) {
        await of(tenantId).updateMany(
          { 'claim.job': job, 'claim.from': from },
          { $set: { state: from }, $unset: { claim: '' } },
        );
      }
    },
  };
}

function matching(tenantId: string, filter: LetterFilter): Filter<DeadLetterDoc> {
  const { state, reason, door, source, run, rule, from, to, text } = filter;
  const prefix = `${tenantId}:run:${run}:`;
  const containing = { $regex: (text ?? '').replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), $options: 'i' };
  return {
    repeats: { $exists: false },
    ...equal('state', state),
    ...equal('reason', reason),
    ...equal('door', door),
    ...equal('source', source),
    ...equal('rule', rule),
    ...(run !== undefined && { batch_id: { $gte: prefix, $lt: `${prefix}\uffff` } }),
    ...((from !== undefined || to !== undefined) && {
      failed_at: {
        ...(from !== undefined && { $gte: new Date(from) }),
        ...(to !== undefined && { $lt: new Date(to) }),
      },
    }),
    ...(text !== undefined && { $or: [{ detail: containing }, { _id: containing }] }),
  };
}

function equal<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
