import { ApplicationFailure } from '@temporalio/common';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import type { DeadLetterReason, ReplayAttempt } from '#domain/transformation/dead-letter.ts';
import { jobBatchId, type JobRef, type JobReport } from '#domain/transformation/job.ts';
import { metadataId } from '#platform/digest.ts';
import { isBadQuery } from '#platform/mongo/bad-query.ts';
import type { DeadLetterDoc, RawRecordDoc } from '#platform/mongo/collections.ts';
import type { DeadLetters, LetterOutcome } from '#platform/mongo/dead-letters.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { NewRawRecord, RawRecords } from '#platform/mongo/raw-records.ts';
import type { TransformationJobs } from '#platform/mongo/transformation-jobs.ts';
import { nextRecordId } from './record-id.ts';

export interface ReplayDeps {
  deadLetters: Pick<
    DeadLetters,
    'claim' | 'claimedBy' | 'getMany' | 'noteSuperseded' | 'settle' | 'attemptsOf' | 'release'
  >;
  rawRecords: Pick<RawRecords, 'land' | 'records' | 'saidSince' | 'openBatchesOf'>;
  entities: Pick<Entities, 'get' | 'versions'>;
  jobs: Pick<TransformationJobs, 'get' | 'report'>;
}

/** A page of a replay. */
export interface ReplayPage {
  job: JobRef;
  page: number;
}

export interface ClaimedPage {
  letters: number;
  /** Batches that it takes: the letters of one entity go one after the other. */
  waves: number;
}

export interface LandedWave {
  /** To be applied. */
  batchIds: string[];
  /** They are of an earlier replay; the wave itself lands when it is called again behind them. */
  again?: true;
}

export type ReplayCounts = Record<'letters' | 'resolved' | 'rejected' | 'superseded', number>;

export type ReplayActivities = ReturnType<typeof replayActivities>;

/** Letters that a page takes. */
const lettersPerPage = 200;
/** Letters that are compared with what is known of their entities side by side. */
const atOnce = 20;
/** Newer records of an entity that are looked at before a letter is refused. */
const newerLookedAt = 50;

/** The steps of `replayDeadLetters`. Each is idempotent: the page's letters are claimed for it before anything is done. */
export function replayActivities(deps: ReplayDeps) {
  const { deadLetters, rawRecords, jobs } = deps;

  async function wavesOf({ job, page }: ReplayPage): Promise<Replayed[][]> {
    const letters = await deadLetters.claimedBy(job.tenantId, { job: job.jobId, page });
    const raws = await rawRecords.records(
      job.tenantId,
      letters.map(({ _id }) => _id),
    );
    return inWaves(letters.flatMap((letter) => replayedOf(letter, raws.get(letter._id))));
  }

  return {
    /** Takes the next letters for a page. None: there is nothing left to replay. */
    async claimLetters({ job, page }: ReplayPage): Promise<ClaimedPage> {
      const document = await jobs.get(job.tenantId, 'replay', job.jobId);
      if (document?.replay === undefined) return { letters: 0, waves: 0 };
      const { filter, record_id, force } = document.replay;
      const plan = {
        job: job.jobId,
        page,
        filter,
        recordId: record_id,
        notAfter: document.started_at,
        limit: lettersPerPage,
        by: document.actor,
        forced: force,
      };
      const letters = await deadLetters.claim(job.tenantId, plan).catch((error: unknown) => {
        // Trying again would go on for ever.
        if (isBadQuery(error)) throw ApplicationFailure.nonRetryable(error.message, 'invalid-input');
        throw error;
      });
      if (letters.length === 0) return { letters: 0, waves: 0 };
      return { letters: letters.length, waves: (await wavesOf({ job, page })).length };
    },

    /** Lands one wave of a page as a batch. What is older than what is known of its entity is left out, unless it is forced. */
    async landWave({ job, page, wave }: ReplayPage & { wave: number }): Promise<LandedWave> {
      const { tenantId } = job;
      const ref = { tenantId, batchId: jobBatchId('replay', job, `${page}-${wave}`), source: 'replay' };
      const replayed = (await wavesOf({ job, page }))[wave] ?? [];
      const ids = replayed.map(({ recordId }) => recordId);
      // A replay that broke off may have landed some of them, with others that were mended since: first that comes to its end.
      const open = await rawRecords.openBatchesOf(tenantId, ids);
      const earlier = open.flatMap(({ batchId }) => (batchId === ref.batchId ? [] : [batchId]));
      if (earlier.length > 0) return { batchIds: earlier, again: true };
      const landed = await rawRecords.records(tenantId, ids);
      const records: NewRawRecord[] = [];
      const place = async (one: Replayed, seq: number): Promise<void> => {
        if (landed.has(one.recordId)) return;
        const guard = one.letter.claim?.forced === true ? {} : await guardOf(deps, tenantId, one);
        if ('superseded' in guard) await deadLetters.noteSuperseded(tenantId, one.letter._id, guard.superseded);
        else records.push(recordOf(one, seq, guard));
      };
      for (let from = 0; from < replayed.length; from += atOnce) {
        await Promise.all(replayed.slice(from, from + atOnce).map((one, index) => place(one, from + index)));
      }
      if (records.length > 0) await rawRecords.land(ref, records);
      return { batchIds: records.length > 0 || open.length > 0 ? [ref.batchId] : [] };
    },

    /** Writes into each letter what became of it. */
    async settleLetters({ job, page }: ReplayPage): Promise<ReplayCounts> {
      const { tenantId, jobId } = job;
      const at = { job: jobId, page };
      const letters = await deadLetters.claimedBy(tenantId, at);
      const ids = letters.map(nextRecordId);
      const [landed, refused] = await Promise.all([
        rawRecords.records(tenantId, ids),
        deadLetters.getMany(tenantId, ids),
      ]);
      await deadLetters.settle(
        tenantId,
        at,
        letters.map((letter) => outcomeOf(letter, landed, refused)),
      );
      return counted(await deadLetters.attemptsOf(tenantId, at));
    },

    /** Lets go of what the replay still has: those letters are as they were before. */
    async releaseLetters(job: JobRef): Promise<void> {
      await deadLetters.release(job.tenantId, job.jobId);
    },

    async saveReplay(job: JobRef, report: JobReport): Promise<void> {
      await jobs.report(job.tenantId, job.jobId, report);
    },
  };
}

/** A letter with the body that it is replayed with. */
interface Replayed {
  letter: DeadLetterDoc;
  raw: RawRecordDoc;
  recordId: string;
  body: string;
  /** Undefined while the body is no record. */
  record: IngestRecord | undefined;
  entityId: string;
}

function replayedOf(letter: DeadLetterDoc, raw: RawRecordDoc | undefined): Replayed[] {
  if (raw === undefined) return [];
  const body = letter.mended?.body ?? raw.body;
  const record = parse(body);
  const entityId =
    record === undefined ? raw.entity_id : metadataId(letter.tenant_id, record.entity_type, record.qualified_name);
  return [{ letter, raw, recordId: nextRecordId(letter), body, record, entityId }];
}

function parse(body: string): IngestRecord | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return ingestRecordSchema.safeParse(value).success ? (value as IngestRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** The n-th letter of each entity goes in the n-th wave, so that each finds what the one before has made. */
function inWaves(replayed: readonly Replayed[]): Replayed[][] {
  const waves: Replayed[][] = [];
  const seen = new Map<string, number>();
  for (const one of replayed) {
    const wave = one.record === undefined ? 0 : (seen.get(one.entityId) ?? 0);
    seen.set(one.entityId, wave + 1);
    (waves[wave] ??= []).push(one);
  }
  return waves;
}

type Guard = { superseded: string } | { expectedVersion?: number };

/**
 * What keeps an old record from undoing a newer one. It is refused when something of its entity arrived at that moment or
 * later and was not itself refused; and it is bound to the version that the entity has now, should something come meanwhile.
 */
async function guardOf(deps: ReplayDeps, tenantId: string, { letter, record, entityId }: Replayed): Promise<Guard> {
  if (record === undefined || record.expected_version !== undefined) return {};
  const [entity, [current]] = await Promise.all([
    deps.entities.get(tenantId, entityId),
    deps.entities.versions(tenantId, entityId, { limit: 1 }),
  ]);
  if (current !== undefined && current.valid_from > letter.received_at) {
    // An event that states many entities is found by the version that it made. Reprocessing says nothing newer, nor does a
    // replay of this letter that was broken off.
    const maker = (await deps.rawRecords.records(tenantId, [current.record_id])).get(current.record_id);
    if (maker?.derived !== true && maker?.repeats !== letter._id) return superseded(current.record_id);
  }
  const since = await deps.rawRecords.saidSince(tenantId, entityId, letter.received_at, newerLookedAt);
  const others = since.filter((id) => id !== letter._id && !id.startsWith(`${letter._id}~`));
  const refused = await deps.deadLetters.getMany(tenantId, others);
  const newer = others.find((id) => !refused.has(id));
  if (newer === undefined && since.length < newerLookedAt) {
    return { expectedVersion: entity === undefined || entity.deleted ? 0 : entity.version };
  }
  return superseded(newer ?? since[0] ?? 'one');
}

function superseded(by: string): Guard {
  return { superseded: `The entity has a newer record, ${by}; replay with force to put this one over it` };
}

function recordOf(
  { letter, raw, recordId, body, record, entityId }: Replayed,
  seq: number,
  guard: Guard,
): NewRawRecord {
  const forced = letter.claim?.forced === true;
  return {
    recordId,
    seq,
    entityId,
    // It takes its place where it would have stood; what is forced is said now.
    receivedAt: forced ? new Date() : raw.received_at,
    door: raw.door,
    actor: letter.mended?.by ?? raw.actor,
    body: forced && record !== undefined ? withoutExpectation(record) : body,
    repeats: letter._id,
    ...(letter.mended === undefined && raw.fault !== undefined && { fault: raw.fault }),
    ...(letter.mended === undefined && raw.format !== undefined && { format: raw.format }),
    ...('expectedVersion' in guard &&
      guard.expectedVersion !== undefined && { expectedVersion: guard.expectedVersion }),
  };
}

function withoutExpectation({ expected_version: _expected, ...record }: IngestRecord): string {
  return JSON.stringify(record);
}

function outcomeOf(
  letter: DeadLetterDoc,
  landed: ReadonlyMap<string, RawRecordDoc>,
  refused: ReadonlyMap<string, DeadLetterDoc>,
): LetterOutcome {
  const recordId = nextRecordId(letter);
  const { claim } = letter;
  const base = {
    attempt: letter.attempts.length + 1,
    record_id: recordId,
    job: claim?.job ?? '',
    page: claim?.page ?? 0,
    at: new Date(),
    by: claim?.by ?? '',
    forced: claim?.forced ?? false,
  };
  const rejected = (reason: DeadLetterReason, detail: string): LetterOutcome => ({
    recordId: letter._id,
    attempt: { ...base, outcome: 'rejected', reason, detail },
  });
  if (claim?.superseded !== undefined) return rejected('superseded', claim.superseded);
  const raw = landed.get(recordId);
  if (raw === undefined) return rejected('not-found', 'The raw record is no longer kept');
  const again = refused.get(recordId);
  if (again === undefined) return { recordId: letter._id, attempt: { ...base, outcome: 'resolved' } };
  if (again.reason === 'version-mismatch' && raw.expected_version !== undefined) {
    return rejected(
      'superseded',
      'The entity changed while this was replayed; replay with force to put this one over it',
    );
  }
  return rejected(again.reason, again.detail);
}

function counted(attempts: readonly ReplayAttempt[]): ReplayCounts {
  const counts: ReplayCounts = { letters: attempts.length, resolved: 0, rejected: 0, superseded: 0 };
  for (const { outcome, reason } of attempts) {
    if (outcome === 'resolved') counts.resolved += 1;
    else if (reason === 'superseded') counts.superseded += 1;
    else counts.rejected += 1;
  }
  return counts;
}
