import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { newRecordId, sha256Hex } from '#platform/digest.ts';
import type { IdempotencyKeys, KeyUse } from '#platform/mongo/idempotency.ts';
import type { Answer } from './answer.ts';
import { InvalidInput } from './invalid-input.ts';
import { inTime } from './outage.ts';

/** Gives the n-th record of a request its id. */
export type RecordIds = (index: number) => string;

const pollMs = 50;
const longestPollMs = 5_000;

/**
 * Runs a write once for its `Idempotency-Key`, and gives the same answer to every repetition. Without the header it just runs.
 * What `run` throws is not kept: nothing was done, or a repetition does it again under the same record ids.
 */
export async function idempotently(
  keys: IdempotencyKeys,
  request: Request,
  principal: Principal,
  run: (recordIds: RecordIds) => Promise<Answer>,
): Promise<Answer> {
  const key = idempotencyKey(request);
  if (key === undefined) return run(newRecordId);
  const use: KeyUse = { ...principal, key, fingerprint: fingerprintOf(request), seed: newRecordId() };
  const reservation = await reserve(keys, use);
  if (reservation.state === 'kept') {
    const { status, headers, body } = reservation.answer;
    return { status, headers: { ...headers, 'Idempotency-Replayed': 'true' }, body: JSON.parse(body) as unknown };
  }
  let answer: Answer;
  try {
    answer = await run((index) => derivedRecordId(reservation.seed, index));
  } catch (error) {
    await inTime('MongoDB', keys.release(use)).catch(() => undefined);
    throw error;
  }
  // The write is durable, so the caller hears of it even if the answer cannot be kept: a repetition has the same record ids.
  await inTime('MongoDB', keys.keep(use, { ...answer, body: JSON.stringify(answer.body) })).catch(() => undefined);
  return answer;
}

async function reserve(keys: IdempotencyKeys, use: KeyUse) {
  for (const deadline = Date.now() + longestPollMs; ; await sleep(pollMs)) {
    const reservation = await inTime('MongoDB', keys.reserve(use));
    if (reservation.state === 'another-request') {
      throw new LilyError(
        'idempotency-key-reused',
        'Use a new Idempotency-Key: this one belongs to a different request',
      );
    }
    if (reservation.state !== 'running') return reservation;
    if (Date.now() > deadline) {
      throw new LilyError(
        'conflict',
        'The first request with this Idempotency-Key still runs; repeat this one shortly',
      );
    }
  }
}

/** The header, checked. @throws InvalidInput */
export function idempotencyKey(request: Request): string | undefined {
  const key = request.get('Idempotency-Key');
  if (key === undefined) return undefined;
  if (key.length <= limits.idempotencyKeyLength && /^[\x20-\x7e]+$/.test(key)) return key;
  const detail = `must have 1 to ${limits.idempotencyKeyLength} printable ASCII characters`;
  throw new InvalidInput(`Idempotency-Key ${detail}`, [{ field: 'Idempotency-Key', detail }]);
}

/** What makes two requests the same: method, address, condition and body. */
function fingerprintOf(request: Request): string {
  const parts = [request.method, request.originalUrl, request.get('If-Match') ?? null, request.body ?? null];
  return sha256Hex(JSON.stringify(parts));
}

/** A UUID of version 7 that follows from the seed (one itself) and the index: its time, and 74 bits of a digest. */
export function derivedRecordId(seed: string, index: number): string {
  if (index === 0) return seed;
  const digest = createHash('sha256').update(`${seed}:${index}`).digest('hex');
  return `${seed.slice(0, 14)}7${digest.slice(0, 3)}-${seed.slice(19, 20)}${digest.slice(3, 6)}-${digest.slice(6, 18)}`;
}
