import type { RunDoc } from '#platform/mongo/runs.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import type { RunView } from './schemas.ts';

export function runView(run: RunDoc): RunView {
  const { read, created, updated, deleted, unchanged, rejected } = run.counts;
  return {
    run_id: run._id,
    state: run.state,
    source_id: run.source_id,
    source: run.source,
    counts: { read, applied: created + updated + deleted, created, updated, deleted, unchanged, rejected },
    pages: run.pages,
    cursor: run.cursor ?? null,
    activity: run.activity,
    reason: run.reason ?? null,
    workflow_id: run.workflow_id,
    started_by: run.actor,
    started_at: run.started_at.toISOString(),
    updated_at: run.updated_at.toISOString(),
    ended_at: run.ended_at?.toISOString() ?? null,
  };
}

const runIdPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isRunId(text: string): boolean {
  return runIdPattern.test(text);
}

/** An opaque place in the list of runs: everything started before this run. */
export function runCursor(runId: string): string {
  return Buffer.from(`r1:${runId}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link runCursor} made. */
export function parseRunCursor(cursor: string): string {
  const [version, runId = ''] = Buffer.from(cursor, 'base64url').toString().split(':');
  if (version === 'r1' && isRunId(runId)) return runId;
  const detail = 'must be a next_cursor of an earlier answer';
  throw new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}
