import { ScheduleNotFoundError, type Client } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { scheduleSchema, type FireScheduleRequest } from '#domain/ingestion/schedule.ts';
import type { ScheduleDoc } from '#platform/mongo/schedules.ts';
import { scheduleControl } from './schedule-control.ts';

type Options = { action: { args: [FireScheduleRequest] }; state: { paused: boolean } };

function schedule(revision: number, paused: boolean): ScheduleDoc {
  const definition = scheduleSchema.parse({
    source_id: '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1',
    every: '1h',
    paused,
  });
  return { _id: 'p1', tenant_id: 'acme', source_id: definition.source_id, definition, revision } as ScheduleDoc;
}

/** Control over a Temporal that keeps one schedule, at first none. */
function control() {
  const kept: { there?: Options } = {};
  const client = {
    options: { namespace: 'default' },
    schedule: {
      getHandle: (id: string) => ({
        update: async (change: (there: Options) => Options) => {
          if (kept.there === undefined) throw new ScheduleNotFoundError('none', id);
          kept.there = change(kept.there);
        },
      }),
      create: async (options: Options) => {
        kept.there = options;
      },
    },
    workflowService: {
      listScheduleMatchingTimes: async () => {
        throw Object.assign(new Error('5 NOT_FOUND: schedule not found'), { code: 5, details: 'schedule not found' });
      },
    },
  } as unknown as Client;
  return { made: scheduleControl(client), kept };
}

describe("Temporal's schedule", () => {
  it('keeps the later change, in whatever order they arrive', async () => {
    const { made, kept } = control();
    await made.apply(schedule(1, false));
    await made.apply(schedule(3, true));
    await made.apply(schedule(2, false));
    expect(kept.there).toMatchObject({ state: { paused: true }, action: { args: [{ revision: 3 }] } });
    await made.apply(schedule(4, false));
    expect(kept.there).toMatchObject({ state: { paused: false } });
  });

  it('that is not there has no times, which is no error', async () => {
    expect(await control().made.times(schedule(1, false), new Date(0), new Date())).toBeUndefined();
  });
});
