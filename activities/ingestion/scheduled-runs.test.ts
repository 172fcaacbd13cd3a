import { describe, expect, it } from 'vitest';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import { scheduleSchema } from '#domain/ingestion/schedule.ts';
import { limits } from '#domain/limits.ts';
import type { NewRun, RunDoc } from '#platform/mongo/runs.ts';
import { secretBox } from '#platform/secret-box.ts';
import { scheduledRunActivities, type Occasion, type ScheduledRunDeps } from './scheduled-runs.ts';

const box = secretBox(new Uint8Array(32));
const sourceId = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';

/** The activities over one schedule. */
function activities(definition: Record<string, unknown>, waiting = 1) {
  const ended: string[] = [];
  const announced: NewRun[] = [];
  const parsed = scheduleSchema.parse({ source_id: sourceId, every: '1h', ...definition });
  const saved = {
    _id: sourceId,
    place: 'postgres:db:5432/d',
    source: { type: 'postgres' },
    sealed_source: box.seal('{}', savedSourceContext('acme', sourceId)),
  };
  const deps = {
    runs: {
      announce: async (run: NewRun): Promise<RunDoc> => {
        announced.push(run);
        return { ...run, state: 'waiting' } as RunDoc;
      },
      waitingOf: async () => waiting,
      endWaiting: async (_tenant: string, _id: string, state: string, reason: string) => {
        ended.push(`${state}: ${reason}`);
      },
    },
    schedules: { get: async () => ({ source_id: sourceId, definition: parsed }) },
    sources: { get: async () => saved },
    secretBox: box,
  } as unknown as ScheduledRunDeps;
  return { made: scheduledRunActivities(deps), announced, ended };
}

function occasion(trigger: Occasion['trigger']): Occasion {
  const scheduledFor = '2026-01-31T02:30:00.000Z';
  return { tenantId: 'acme', scheduleId: 'p1', scheduledFor, trigger, workflowId: 'fire:1' };
}

describe('a schedule that is paused', () => {
  it('has no run at its times, whatever Temporal fires', async () => {
    const { made, announced } = activities({ paused: true });
    expect(await made.announceRun(occasion('schedule'))).toEqual({ nothing: 'The schedule is paused.' });
    expect(announced).toEqual([]);
  });

  it.each(['manual', 'backfill'] as const)('has a run when somebody asks for it (%s)', async (trigger) => {
    const { made, announced } = activities({ paused: true });
    expect(await made.announceRun(occasion(trigger))).toHaveProperty('run');
    expect(announced).toHaveLength(1);
  });
});

describe('a time of a schedule', () => {
  it('is skipped, and says why, when too many of the schedule wait already', async () => {
    const { waitingPerSchedule } = limits;
    const { made, ended } = activities({ overlap: 'buffer_all' }, waitingPerSchedule + 1);
    const nothing = `${waitingPerSchedule} runs of the schedule were waiting already, as many as may.`;
    expect(await made.announceRun(occasion('schedule'))).toEqual({ nothing });
    expect(ended).toEqual([`skipped: ${nothing}`]);
    const { made: last, ended: none } = activities({ overlap: 'buffer_all' }, waitingPerSchedule);
    expect(await last.announceRun(occasion('schedule'))).toHaveProperty('run');
    expect(none).toEqual([]);
  });

  it('holds up nobody while its jitter passes', async () => {
    const { made, announced } = activities({ jitter: '10m' });
    await made.announceRun(occasion('schedule'));
    expect(announced[0]?.not_before?.getTime()).toBeGreaterThan(Date.now() + 9 * 60_000);
    await made.announceRun(occasion('manual'));
    expect(announced[1]?.not_before).toBeUndefined();
  });
});
