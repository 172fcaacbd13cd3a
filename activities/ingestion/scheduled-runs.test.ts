import { describe, expect, it } from 'vitest';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import { scheduleSchema } from '#domain/ingestion/schedule.ts';
import type { NewRun, RunDoc } from '#platform/mongo/runs.ts';
import { secretBox } from '#platform/secret-box.ts';
import { scheduledRunActivities, type Occasion, type ScheduledRunDeps } from './scheduled-runs.ts';

const box = secretBox(new Uint8Array(32));
const sourceId = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';

/** The activities over one schedule. */
function activities(definition: Record<string, unknown>) {
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
    },
    schedules: { get: async () => ({ source_id: sourceId, definition: parsed }) },
    sources: { get: async () => saved },
    secretBox: box,
  } as unknown as ScheduledRunDeps;
  return { made: scheduledRunActivities(deps), announced };
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
