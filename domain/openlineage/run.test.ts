import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunEvent, RunEventType } from './event.ts';
import { emptyRun, summaryOf, withEvent, type RunFacts } from './run.ts';

const runId = '3F5E83FA-3480-44FF-99C5-FF943904E5E8';

function event(eventType: RunEventType, second: number, more: Partial<RunEvent> = {}): RunEvent {
  const eventTime = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return { eventTime, eventType, run: { runId }, job: { namespace: 'airflow', name: 'daily' }, ...more };
}

function runOf(events: RunEvent[]): RunFacts {
  return events.reduce<RunFacts>(
    (run, one) => withEvent(run, one, one.run.facets ?? {}),
    emptyRun(events[0] ?? event('START', 0)),
  );
}

const dataset = (name: string) => ({ namespace: 'db', name });

describe('a run', () => {
  it('begins with START, ends with its last ending, and takes the time between', () => {
    const run = runOf([event('START', 1), event('RUNNING', 5), event('COMPLETE', 9)]);
    const startedAt = Date.UTC(2026, 0, 1, 0, 0, 1);
    expect(summaryOf(run)).toMatchObject({
      state: 'COMPLETED',
      startedAt,
      endedAt: startedAt + 8_000,
      durationMs: 8_000,
    });
    expect(run.runId).toBe(runId.toLowerCase());
  });

  it.each([
    [['OTHER'], 'NEW'],
    [['START'], 'RUNNING'],
    [['OTHER', 'RUNNING'], 'RUNNING'],
    [['START', 'ABORT'], 'ABORTED'],
    [['FAIL'], 'FAILED'],
    [['START', 'FAIL', 'COMPLETE'], 'COMPLETED'],
  ] as [RunEventType[], string][])('after %j is %s', (types, state) => {
    expect(summaryOf(runOf(types.map((type, index) => event(type, index)))).state).toBe(state);
  });

  it('keeps its parent, its error, its nominal time, and the facets that nobody knows', () => {
    const facets = {
      parent: { run: { runId }, job: { namespace: 'airflow', name: 'dag' } },
      errorMessage: { message: 'no such table', programmingLanguage: 'PYTHON', stackTrace: 'at line 1' },
      nominalTime: { nominalStartTime: '2026-01-01T00:00:00Z' },
      mine: { x: 1 },
    };
    const run = runOf([event('FAIL', 1, { run: { runId, facets } })]);
    expect(summaryOf(run)).toMatchObject({
      parent: { runId: runId.toLowerCase(), job: { namespace: 'airflow', name: 'dag' } },
      error: { message: 'no such table', programmingLanguage: 'PYTHON' },
      nominalStartTime: '2026-01-01T00:00:00Z',
    });
    expect(run.facets['mine']?.body).toEqual({ x: 1 });
  });

  it('stays small enough to be stored, however much its events say', () => {
    const big = 'ü'.repeat(30_000);
    const facets = (from: number) =>
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${from + index}`, { big }]));
    const names = (from: number) =>
      Array.from({ length: 2_000 }, (_, index) => dataset(`${from + index}${'表'.repeat(900)}`));
    const events = [0, 1, 2].map((index) =>
      event('RUNNING', index, { inputs: names(index * 2_000), run: { runId, facets: facets(index * 50) } }),
    );
    const run = runOf(events);
    expect(new TextEncoder().encode(JSON.stringify(run)).length).toBeLessThan(4 * 1024 * 1024);
    expect(run.facets['f0']?.body).toEqual({ big });
    expect(run.facets['f99']?.body['_omitted']).toMatch('more than 2097152 bytes');
    expect(runOf(events.toReversed()).inputs).toEqual(run.inputs);
  });

  it('comes out the same in whatever order, and however often, its events arrive', () => {
    const anyEvent = fc
      .record({
        type: fc.constantFrom<RunEventType>('START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'),
        second: fc.integer({ min: 0, max: 5 }),
        inputs: fc.array(fc.constantFrom('a', 'b', 'c')),
        outputs: fc.array(fc.constantFrom('x', 'y')),
        facet: fc.option(fc.integer({ min: 0, max: 3 })),
      })
      .map(({ type, second, inputs, outputs, facet }) =>
        event(type, second, {
          inputs: inputs.map(dataset),
          outputs: outputs.map(dataset),
          run: { runId, facets: facet === null ? {} : { custom: { value: facet } } },
        }),
      );
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 8 }), fc.infiniteStream(fc.nat()), (events, order) => {
        const twice = [...events, ...events]
          .map((one) => ({ one, place: order.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ one }) => one);
        expect(runOf(twice)).toEqual(runOf(events));
        expect(summaryOf(runOf(twice))).toEqual(summaryOf(runOf(events)));
      }),
    );
  });
});
