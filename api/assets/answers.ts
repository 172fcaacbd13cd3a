import { LilyError } from '#domain/errors.ts';
import type { Receipt } from '#domain/transformation/batch.ts';
import type { Answer } from '../http/answer.ts';
import { problemOf, problemType, type Problem } from '../http/problem.ts';
import type { Submission } from './intake.ts';

/** How long the caller waited, so that `Preference-Applied` can say so. */
export interface Waited {
  waitSeconds: number | undefined;
  traceId: string;
  instance: string;
}

/** The answer to a write of one entity: 202 while it is on its way, 200 once applied, a problem when it was rejected. */
export function writeAnswer(
  submission: Pick<Submission, 'recordId' | 'metadataId'>,
  receipt: Receipt | undefined,
  waited: Waited,
): Answer {
  const headers = {
    Location: `/metadata/${submission.metadataId}`,
    'Lily-Record-Id': submission.recordId,
    Link: `</v1/records/${submission.recordId}>; rel="status"`,
    ...preferenceApplied(waited.waitSeconds),
  };
  const rejection = receipt === undefined ? undefined : rejectionOf(receipt);
  if (rejection !== undefined) {
    const problem = problemOf(rejection, waited);
    return { status: problem.status, headers: { ...headers, 'Content-Type': problemType }, body: problem };
  }
  return {
    status: receipt === undefined ? 202 : 200,
    headers,
    body: { status: 'success', metadata_id: submission.metadataId, ...appliedFields(receipt) },
  };
}

/** One item of an array's answer. */
export type ItemResult =
  { status: 'success'; metadata_id: string; record_id: string } | { status: 'error'; error: Problem };

/** The result of an accepted item, or its rejection when that is known already. */
export function itemResult(submission: Submission, receipt: Receipt | undefined): ItemResult {
  const rejection = receipt === undefined ? undefined : rejectionOf(receipt);
  if (rejection !== undefined) return { status: 'error', error: problemOf(rejection) };
  const { metadataId, recordId } = submission;
  return { status: 'success', metadata_id: metadataId, record_id: recordId, ...appliedFields(receipt) };
}

export function preferenceApplied(waitSeconds: number | undefined): Record<string, string> {
  return waitSeconds === undefined ? {} : { 'Preference-Applied': `wait=${waitSeconds}` };
}

function appliedFields(receipt: Receipt | undefined): object {
  if (receipt === undefined) return {};
  return { version: receipt.version, outcome: receipt.outcome, workflow_id: receipt.workflowId };
}

function rejectionOf(receipt: Receipt): LilyError | undefined {
  switch (receipt.outcome) {
    case 'rejected':
      return new LilyError('conflict', `The record was rejected: ${receipt.reason ?? 'no reason given'}`);
    case 'version-mismatch':
      return new LilyError('version-mismatch', receipt.reason ?? 'Read the entity again and repeat with its ETag');
    case 'created':
    case 'updated':
    case 'deleted':
    case 'unchanged':
      return undefined;
  }
}
