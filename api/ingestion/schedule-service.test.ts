import { describe, expect, it } from 'vitest';
import { scheduleSchema, type BackfillRequest } from '#domain/ingestion/schedule.ts';
import type { ScheduleDoc } from '#platform/mongo/schedules.ts';
import type { SavedSourceDoc } from '#platform/mongo/sources.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { ScheduleService, type ScheduleServiceDeps } from './schedule-service.ts';

const ada = { tenantId: 'acme', userId: 'ada', roles: ['operator'] } as const;
const hourMs = 3_600_000;
const definition = scheduleSchema.parse({ source_id: '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1', every: '1h' });
const times = Array.from({ length: 5 }, (_, index) => new Date(Date.now() - (5 - index) * hourMs));

/** The service over a schedule that is six hours old, of whose five times the first and the last had a run. */
function service(
  change: Partial<ScheduleDoc> = {},
  { refusal, inTemporal = 2, wanted = true }: { refusal?: Error; inTemporal?: number; wanted?: boolean } = {},
) {
  const doc = {
    _id: 'p1',
    tenant_id: 'acme',
    source_id: definition.source_id,
    definition,
    timing_since: new Date(Date.now() - 6 * hourMs),
    revision: 2,
    applied_revision: 2,
    ...change,
  } as ScheduleDoc;
  const temporal = { revision: inTemporal };
  const seen = {
    takenBack: 0,
    triggered: 0,
    applied: [] as number[],
    removed: 0,
    definitions: [] as ScheduleDoc['definition'][],
    asked: [] as Date[],
  };
  const backfills: BackfillRequest[] = [];
  const deps = {
    schedules: {
      create: async () => doc,
      get: async () => doc,
      replace: async (
        _tenant: string,
        _id: string,
        revision: number,
        to: { definition: ScheduleDoc['definition'] },
      ) => {
        seen.definitions.push(to.definition);
        return { ...doc, ...to, revision: revision + 1 };
      },
      list: async () => [doc],
      applied: async () => wanted,
      remove: async () => {
        seen.removed += 1;
      },
    },
    control: {
      apply: async ({ revision }: ScheduleDoc) => {
        if (refusal !== undefined) throw refusal;
        seen.applied.push(revision);
        temporal.revision = revision;
      },
      remove: async () => {
        seen.takenBack += 1;
      },
      trigger: async () => {
        seen.triggered += 1;
      },
      describe: async () =>
        temporal.revision === 0 ? undefined : { action: { args: [{ revision: temporal.revision }] } },
      times: async (_schedule: ScheduleDoc, from: Date, to: Date) => {
        if (temporal.revision === 0) return undefined;
        seen.asked = [from, to];
        return times.filter((time) => time >= from && time <= to);
      },
      backfill: async (_schedule: ScheduleDoc, request: BackfillRequest) => {
        backfills.push(request);
        return 'backfill:acme:p1:b1';
      },
    },
    runs: {
      list: async () => [],
      occasionsOf: async () => new Set([times[0]?.getTime() ?? 0, times[4]?.getTime() ?? 0]),
    },
    sources: { get: async () => ({}) as SavedSourceDoc },
  } as unknown as ScheduleServiceDeps;
  return { made: new ScheduleService(deps), seen, backfills };
}

describe('what was missed', () => {
  it('is every time without a run, since the schedule has its times', async () => {
    const { made, seen } = service();
    expect((await made.state('acme', 'p1')).missed).toEqual(times.slice(1, 4));
    expect(seen.applied).toEqual([]);
    const { made: retimed } = service({ timing_since: new Date(Date.now() - 2.5 * hourMs) });
    expect((await retimed.state('acme', 'p1')).missed).toEqual(times.slice(3, 4));
    const { made: fresh } = service({ timing_since: new Date() });
    expect((await fresh.state('acme', 'p1')).missed).toEqual([]);
  });

  it('of a schedule that fires often is looked for as far back as Temporal lists times at once', async () => {
    const often = { ...definition, every: '10s' };
    const { made, seen } = service({ definition: often, timing_since: new Date(0) });
    await made.state('acme', 'p1');
    const [from, to] = seen.asked;
    expect((to?.getTime() ?? 0) - (from?.getTime() ?? 0)).toBeLessThan(1_000 * 10_000);
  });
});

describe('a backfill', () => {
  it('makes up for times without a run, the earliest first', async () => {
    const { made, backfills } = service();
    const [from, to] = [new Date(Date.now() - 6 * hourMs), new Date()];
    const started = await made.backfill('acme', 'p1', from, to, 'b1');
    expect(started).toMatchObject({ times: times.slice(1, 4), alreadyRun: 2 });
    expect(backfills.map((request) => request.times)).toEqual([times.slice(1, 4).map((time) => time.toISOString())]);
  });

  it.each([
    ['that is upside down', new Date(2_000), new Date(1_000)],
    ['that reaches into the future', new Date(), new Date(Date.now() + hourMs)],
  ])('of a range %s is refused', async (_what, from, to) => {
    const { made, backfills } = service();
    await expect(made.backfill('acme', 'p1', from, to, 'b1')).rejects.toMatchObject({ field: '/to' });
    expect(backfills).toEqual([]);
  });
});

describe('the two stores of a schedule', () => {
  const range = [new Date(Date.now() - 6 * hourMs), new Date()] as const;
  const looks: [string, (made: ScheduleService) => Promise<unknown>][] = [
    ['looks at it', (made) => made.state('acme', 'p1')],
    ['lists them', (made) => made.list('acme', { limit: 10 })],
    ['triggers it', (made) => made.trigger(ada, 'p1', 'r1')],
    ['makes up for times', (made) => made.backfill('acme', 'p1', ...range, 'b1')],
  ];
  it.each(looks)('are brought in accord by whoever %s, when a request died between them', async (_what, look) => {
    const { made, seen } = service({ applied_revision: 1 }, { inTemporal: 1 });
    await look(made);
    expect(seen.applied).toEqual([2]);
  });

  it('are listed also while Temporal is away', async () => {
    const { made } = service({ applied_revision: 1 }, { refusal: new Error('away') });
    expect(await made.list('acme', { limit: 10 })).toHaveLength(1);
  });

  it.each([
    ['was deleted', 0],
    ['was made from an older revision', 1],
  ])('are brought in accord when that of Temporal %s behind our back', async (_what, inTemporal) => {
    const { made, seen } = service({}, { inTemporal });
    expect((await made.state('acme', 'p1')).temporal).toBeDefined();
    expect(seen.applied).toContain(2);
  });

  it('make up for times though Temporal had lost the schedule', async () => {
    const { made, backfills } = service({}, { inTemporal: 0 });
    await made.backfill('acme', 'p1', ...range, 'b1');
    expect(backfills[0]?.times).toHaveLength(3);
  });

  it('keep nothing in Temporal of a schedule that is deleted as it is applied', async () => {
    const { made, seen } = service({ applied_revision: 1 }, { wanted: false });
    await made.state('acme', 'p1');
    expect(seen.takenBack).toBe(1);
  });

  const refusal = new InvalidInput('/cron in the body is not understood', [{ field: '/cron', detail: 'x' }]);

  it('keep nothing of a schedule that Temporal refuses', async () => {
    const { made, seen } = service({}, { refusal });
    await expect(made.create(ada, definition, 'p1')).rejects.toBe(refusal);
    expect(seen.removed).toBe(1);
  });

  it('keep what was before when Temporal refuses a change', async () => {
    const { made, seen } = service({}, { refusal });
    const { every: _every, ...rest } = definition;
    const changed = { ...rest, cron: '0 0 31 2 *' };
    await expect(made.replace(ada, 'p1', changed)).rejects.toBe(refusal);
    expect(seen.definitions).toEqual([changed, definition]);
  });

  it('keep everything while Temporal is away: the schedule is there, and is applied later', async () => {
    const { made, seen } = service({}, { refusal: new Error('away') });
    await expect(made.create(ada, definition, 'p1')).rejects.toThrow('away');
    expect(seen.removed).toBe(0);
  });
});
