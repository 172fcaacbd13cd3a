import { isFinal } from '#domain/ingestion/run.ts';
import type { RunDoc } from '#platform/mongo/runs.ts';
import type { SavedSourceDoc } from '#platform/mongo/sources.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import type { RunView, SourceView } from './schemas.ts';

export function runView(run: RunDoc): RunView {
  const { read, created, updated, deleted, unchanged, rejected } = run.counts;
  return {
    run_id: run._id,
    state: run.state,
    source_id: run.source_id,
    saved_source_id: run.saved_source_id ?? null,
    source: run.source,
    trigger: run.trigger ?? 'request',
    schedule_id: run.schedule_id ?? null,
    scheduled_for: run.scheduled_for?.toISOString() ?? null,
    rerun_of: run.rerun_of ?? null,
    counts: { read, applied: created + updated + deleted, created, updated, deleted, unchanged, rejected },
    pages: run.pages,
    cursor: run.cursor ?? null,
    ...paceOf(run),
    activity: run.activity,
    reason: run.reason ?? null,
    incomplete: run.incomplete ?? [],
    attempts: (run.attempts ?? []).map((attempt) => ({
      number: attempt.number,
      state: attempt.state ?? null,
      reason: attempt.reason ?? null,
      started_by: attempt.actor,
      started_at: attempt.started_at.toISOString(),
      ended_at: attempt.ended_at?.toISOString() ?? null,
      workflow_id: attempt.workflow_id,
    })),
    workflow_id: run.workflow_id,
    started_by: run.actor,
    started_at: run.started_at.toISOString(),
    updated_at: run.updated_at.toISOString(),
    ended_at: run.ended_at?.toISOString() ?? null,
  };
}

/** How fast the run is, and how long it may take still. Estimates: pauses count as time that it took. */
export function paceOf(run: RunDoc): Pick<RunView, 'progress' | 'rate' | 'remaining_seconds'> {
  const attempt = run.attempts?.at(-1);
  const seconds = ((attempt?.ended_at ?? run.updated_at).getTime() - (attempt?.started_at.getTime() ?? 0)) / 1_000;
  const read = run.counts.read - (attempt?.read_before ?? 0);
  const rate = attempt === undefined || seconds <= 0 || read <= 0 ? null : rounded(read / seconds);
  const { done, total } = run.progress ?? { done: 0, total: 0 };
  if (total <= 0) return { progress: null, rate, remaining_seconds: null };
  const fraction = Math.min(Math.max(done / total, 0), 1);
  // What one attempt has read is in proportion to the whole as `read` is to all that was read.
  const share = run.counts.read > 0 ? fraction * (read / run.counts.read) : 0;
  const known = !isFinal(run.state) && share > 0 && seconds > 0;
  return {
    progress: { done, total, fraction: rounded(fraction, 10_000) },
    rate,
    remaining_seconds: known ? rounded((seconds / share) * (1 - fraction)) : null,
  };
}

function rounded(value: number, steps = 10): number {
  return Math.round(value * steps) / steps;
}

export function sourceView(saved: SavedSourceDoc): SourceView {
  return {
    source_id: saved._id,
    name: saved.name,
    reads: saved.place,
    source: saved.source,
    created_by: saved.created_by,
    created_at: saved.created_at.toISOString(),
    updated_by: saved.updated_by,
    updated_at: saved.updated_at.toISOString(),
  };
}

const idPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether the text has the form of the ids of runs, saved sources and schedules. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

/** What is listed, by the letter that its cursors begin with. */
export type Listed = 'r' | 's' | 'p';

/** An opaque place in a list that is in the order of ids: everything made before this one. */
export function idCursor(listed: Listed, id: string): string {
  return Buffer.from(`${listed}1:${id}`).toString('base64url');
}

/** @throws InvalidInput when the text is not a cursor that {@link idCursor} made for the same list. */
export function parseIdCursor(listed: Listed, cursor: string): string {
  const [version, id = ''] = Buffer.from(cursor, 'base64url').toString().split(':');
  if (version === `${listed}1` && isId(id)) return id;
  const detail = 'must be a next_cursor of an earlier answer';
  throw new InvalidInput(`cursor ${detail}`, [{ field: 'cursor', detail }]);
}

/** A page of a list from one item more than it holds. */
export function pageOf<Doc extends { _id: string }, View>(
  listed: Listed,
  found: readonly Doc[],
  limit: number,
  view: (doc: Doc) => View,
): { items: View[]; next_cursor: string | null } {
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items: items.map(view), next_cursor: last === undefined ? null : idCursor(listed, last._id) };
}
