import { describe, expect, it } from 'vitest';
import { noCounts } from '#domain/transformation/batch.ts';
import type { RunDoc } from '#platform/mongo/runs.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { idCursor, paceOf, parseIdCursor } from './views.ts';

const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 31, 12, 0, seconds));

function run(change: Partial<RunDoc>): RunDoc {
  const attempt = { number: 1, workflow_id: 'w', actor: 'ada', started_at: at(0), read_before: 0 };
  const base = {
    _id: 'r',
    state: 'running',
    counts: { ...noCounts, read: 100 },
    attempts: [attempt],
    updated_at: at(10),
  };
  return { ...base, ...change } as RunDoc;
}

describe('how fast a run is', () => {
  it('is told by what it has read since it began', () => {
    expect(paceOf(run({}))).toEqual({ progress: null, rate: 10, remaining_seconds: null });
  });

  it('is an estimate of what remains where the source can tell how far it is', () => {
    expect(paceOf(run({ progress: { done: 25, total: 100 } }))).toEqual({
      progress: { done: 25, total: 100, fraction: 0.25 },
      rate: 10,
      remaining_seconds: 30,
    });
  });

  it('counts only what this attempt has read', () => {
    const attempt = { number: 2, workflow_id: 'w', actor: 'ada', started_at: at(0), read_before: 50 };
    const pace = paceOf(run({ attempts: [attempt], progress: { done: 50, total: 100 } }));
    expect(pace).toMatchObject({ rate: 5, remaining_seconds: 20 });
  });

  it.each([
    ['nothing was read', { counts: noCounts }],
    ['it has not begun', { attempts: [] }],
    ['no time has passed', { updated_at: at(0) }],
  ])('is not known when %s', (_when, change) => {
    expect(paceOf(run(change)).rate).toBeNull();
  });

  it('is never more than all, and nothing remains of one that has ended', () => {
    const pace = paceOf(run({ state: 'completed', progress: { done: 7, total: 5 } }));
    expect(pace).toMatchObject({ progress: { fraction: 1 }, remaining_seconds: null });
  });
});

describe('cursors', () => {
  const id = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';

  it('come back, in the list that they are of', () => {
    expect(parseIdCursor('r', idCursor('r', id))).toBe(id);
    expect(() => parseIdCursor('s', idCursor('r', id))).toThrow(InvalidInput);
    expect(() => parseIdCursor('r', 'odd')).toThrow(InvalidInput);
  });
});
