import { describe, expect, it } from 'vitest';
import { cronFault } from './cron.ts';
import { durationMs, occasionOf, onOverlap, scheduleSchema, type Turn } from './schedule.ts';

const source_id = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';

describe('cron expressions', () => {
  it.each([
    '* * * * *',
    '*/15 * * * *',
    '0 0 1 1 *',
    '30 2 * * 1-5',
    '30 2 * * MON-FRI',
    '0,30 8-18/2 1,15 jan,Jul 0',
    '0 0 * * 7',
    '@daily',
  ])('%s is fine', (text) => {
    expect(cronFault(text)).toBeUndefined();
  });

  it.each([
    ['', 'five fields'],
    ['* * * *', 'five fields'],
    ['* * * * * *', 'five fields'],
    ['@every 5s', 'five fields'],
    ['TZ=UTC * * * * *', 'five fields'],
    ['CRON_TZ=UTC 0 0 * *', 'minute'],
    ['60 * * * *', 'minute'],
    ['* 24 * * *', 'hour'],
    ['* * 0 * *', 'day of the month'],
    ['* * * 13 *', 'month'],
    ['* * * * 8', 'day of the week'],
    ['5-1 * * * *', 'minute'],
    ['*/0 * * * *', 'minute'],
    ['*/5/5 * * * *', 'minute'],
    ['1, * * * *', 'minute'],
    ['-1 * * * *', 'minute'],
    ['* * L * *', 'day of the month'],
    ['* * * * MON#2', 'day of the week'],
    ['* jan * * *', 'hour'],
  ])('%s is not: %s', (text, where) => {
    expect(cronFault(text)).toContain(where);
  });
});

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%s', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(['', '0s', '15', 'm', '1.5h', '15 m', '-1m', '1w', '1m30s', '9999999s'])('not %j', (text) => {
    expect(durationMs(text)).toBeNaN();
  });
});

describe('a definition', () => {
  it('has sensible defaults', () => {
    expect(scheduleSchema.parse({ source_id, every: '15m' })).toEqual({
      source_id,
      every: '15m',
      time_zone: 'UTC',
      overlap: 'skip',
      catch_up_window: '1h',
      paused: false,
    });
  });

  it.each(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'UTC'])('knows the time zone %s', (time_zone) => {
    expect(scheduleSchema.safeParse({ source_id, cron: '@daily', time_zone }).success).toBe(true);
  });

  it.each(['Europe/Atlantis', '+02:00', '', 'Europe/Berlin; DROP'])('does not know the time zone %j', (time_zone) => {
    const parsed = scheduleSchema.safeParse({ source_id, cron: '@daily', time_zone });
    expect(parsed.error?.issues.map(({ path }) => path)).toEqual([['time_zone']]);
  });
});

describe('a time that finds the source being read', () => {
  const held: Turn = { outcome: 'held', holderRunId: 'r', holderWorkflowId: 'w' };
  const queued = (sameSchedule: boolean): Turn => ({ outcome: 'queued', behindRunId: 'r', sameSchedule });

  it.each([
    ['skip', held, 'skip'],
    ['skip', queued(false), 'skip'],
    ['buffer_one', held, 'wait'],
    ['buffer_one', queued(true), 'skip'],
    ['buffer_one', queued(false), 'wait'],
    ['buffer_all', held, 'wait'],
    ['buffer_all', queued(true), 'wait'],
    ['cancel_other', held, 'cancel_other'],
    ['cancel_other', queued(true), 'wait'],
    ['skip', { outcome: 'full' }, 'wait'],
    ['cancel_other', { outcome: 'full' }, 'wait'],
  ] as const)('%s, %o → %s', (policy, turn, reaction) => {
    expect(onOverlap(policy, turn)).toBe(reaction);
  });
});

it('an occasion is the same however its time is written', () => {
  expect(occasionOf('s', new Date('2026-01-31T03:30:00+01:00'))).toBe(
    occasionOf('s', new Date('2026-01-31T02:30:00Z')),
  );
});
