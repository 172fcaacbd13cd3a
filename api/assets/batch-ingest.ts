import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Receipt } from '#domain/transformation/batch.ts';
import type { Answer } from '../http/answer.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import type { RecordIds } from '../http/idempotent.ts';
import { problemOf, problemType, type Problem } from '../http/problem.ts';
import { itemResult, preferenceApplied, type ItemResult, type Waited } from './answers.ts';
import type { Submission } from './intake.ts';
import { prepareIngest, type PreparedRecord } from './prepared-record.ts';

/** One item of an array: fit to be sent, or what is wrong with it. */
export type BatchItem = PreparedRecord | { problem: Problem };

/** Prepares each item by itself: one that is wrong does not stop the others. @throws InvalidInput for no or too many items. */
export function prepareBatch(principal: Principal, bodies: readonly unknown[]): BatchItem[] {
  if (bodies.length === 0 || bodies.length > limits.recordsPerRequest) {
    throw new InvalidInput(`The array must have 1 to ${limits.recordsPerRequest} records; it has ${bodies.length}`);
  }
  return bodies.map((body) => {
    try {
      return prepareIngest(principal, body);
    } catch (error) {
      if (error instanceof LilyError) return { problem: problemOf(error) };
      throw error;
    }
  });
}

type Submit = (records: Submission[]) => Promise<(Receipt | undefined)[]>;

/**
 * Sends what is fit and answers with a result for each item, in the array's order. 202 while anything is on its way,
 * 200 when all of it is known to be applied or rejected. Nothing was fit: a problem (with the items' own status when
 * they share one, else 400) that carries the results.
 */
export async function batchAnswer(
  items: readonly BatchItem[],
  waited: Waited,
  recordIds: RecordIds,
  submit: Submit,
): Promise<Answer> {
  const submissions: Submission[] = [];
  const places = items.map((item, index) => {
    if ('problem' in item) return undefined;
    return submissions.push({ ...item, recordId: recordIds(index) }) - 1;
  });
  if (submissions.length === 0) return nothingAccepted(items, waited);
  const receipts = await submit(submissions);
  const results = items.map((item, index): ItemResult => {
    if ('problem' in item) return { status: 'error', error: item.problem };
    const place = places[index] ?? 0;
    return itemResult(submissions[place] as Submission, receipts[place]);
  });
  const settled = submissions.every((_, place) => receipts[place] !== undefined);
  return {
    status: settled ? 200 : 202,
    headers: preferenceApplied(waited.waitSeconds),
    body: { status: 'success', results },
  };
}

function nothingAccepted(items: readonly BatchItem[], waited: Waited): Answer {
  const results = items.flatMap((item) => ('problem' in item ? [{ status: 'error', error: item.problem }] : []));
  const codes = new Set(results.map(({ error }) => error.code));
  const [code = 'invalid-input'] = codes;
  const detail = `None of the ${items.length} records was accepted; results says why, in the order of the array`;
  const problem = problemOf(new LilyError(codes.size === 1 ? code : 'invalid-input', detail), waited);
  return { status: problem.status, headers: { 'Content-Type': problemType }, body: { ...problem, results } };
}
