import { temporalScheduleId } from '#domain/ingestion/schedule.ts';
import type { ScheduleDoc } from '#platform/mongo/schedules.ts';
import type { ScheduleStateView, ScheduleView } from './schedule-schemas.ts';
import type { ScheduleState } from './schedule-service.ts';
import { runView } from './views.ts';

export function scheduleView({ _id, definition, ...schedule }: ScheduleDoc): ScheduleView {
  const { source_id, cron, every, time_zone, overlap, jitter, catch_up_window, paused, note } = definition;
  return {
    schedule_id: _id,
    source_id,
    cron: cron ?? null,
    every: every ?? null,
    time_zone,
    overlap,
    jitter: jitter ?? null,
    catch_up_window,
    paused,
    note: note ?? null,
    created_by: schedule.created_by,
    created_at: schedule.created_at.toISOString(),
    updated_by: schedule.updated_by,
    updated_at: schedule.updated_at.toISOString(),
  };
}

/** Whether it is paused is Temporal's to say: somebody may have paused it in the Web UI. */
export function scheduleStateView({ schedule, temporal, recent, missed }: ScheduleState): ScheduleStateView {
  const view = scheduleView(schedule);
  const paused = temporal?.state.paused ?? view.paused;
  return {
    ...view,
    paused,
    next: paused ? [] : (temporal?.info.nextActionTimes ?? []).map((time) => time.toISOString()),
    recent: recent.map(runView),
    missed: missed.map((time) => time.toISOString()),
    missed_catch_up: temporal?.info.numActionsMissedCatchupWindow ?? 0,
    temporal_schedule_id: temporalScheduleId(schedule.tenant_id, schedule._id),
  };
}
