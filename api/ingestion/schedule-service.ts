import type { ScheduleDescription } from '@temporalio/client';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { durationMs, type ScheduleDefinition } from '#domain/ingestion/schedule.ts';
import { limits } from '#domain/limits.ts';
import type { RunDoc, Runs } from '#platform/mongo/runs.ts';
import type { ScheduleDoc, Schedules } from '#platform/mongo/schedules.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { inTime } from '../http/outage.ts';
import { revisionOf, timesListed, type ScheduleControl } from './schedule-control.ts';
import type { SourceService } from './source-service.ts';

export interface ScheduleServiceDeps {
  schedules: Schedules;
  control: ScheduleControl;
  runs: Pick<Runs, 'list' | 'occasionsOf'>;
  sources: Pick<SourceService, 'get'>;
}

/** A schedule, with what has become of it and what is to come. */
export interface ScheduleState {
  schedule: ScheduleDoc;
  temporal: ScheduleDescription | undefined;
  recent: RunDoc[];
  missed: Date[];
}

/** What a backfill is going to make up for. */
export interface Backfill {
  workflowId: string;
  times: Date[];
  /** Times of the range that have had their run. */
  alreadyRun: number;
}

const recentRuns = 10;
const missedShown = 100;
const missedWindowMs = 7 * 86_400_000;
/** Times younger than this may be on their way. */
const settlingMs = 60_000;

/** Keeps schedules, and Temporal's schedules in accord with them. */
export class ScheduleService {
  readonly #deps: ScheduleServiceDeps;

  constructor(deps: ScheduleServiceDeps) {
    this.#deps = deps;
  }

  /** @throws LilyError `not-found` for the source; InvalidInput for times that Temporal does not understand */
  async create({ tenantId, userId }: Principal, definition: ScheduleDefinition, id: string): Promise<ScheduleDoc> {
    await this.#requireSource(tenantId, definition);
    const wanted = { _id: id, tenant_id: tenantId, definition, created_by: userId };
    const schedule = await inTime('MongoDB', this.#deps.schedules.create(wanted));
    try {
      await this.#apply(schedule);
    } catch (error) {
      if (error instanceof InvalidInput) await inTime('MongoDB', this.#deps.schedules.remove(tenantId, id));
      throw error;
    }
    return schedule;
  }

  /** Schedules, the newest first. What Temporal has not taken yet is shown also while Temporal is away. */
  async list(
    tenantId: string,
    page: { source?: string | undefined; before?: string | undefined; limit: number },
  ): Promise<ScheduleDoc[]> {
    const found = await inTime('MongoDB', this.#deps.schedules.list(tenantId, page));
    await Promise.allSettled(found.map((schedule) => this.#settle(schedule)));
    return found;
  }

  /** @throws LilyError `not-found`, for another tenant's schedule as for none */
  async state(tenantId: string, id: string): Promise<ScheduleState> {
    const schedule = await this.#settled(tenantId, id);
    const [temporal, recent, missed] = await Promise.all([
      this.#described(schedule),
      inTime('MongoDB', this.#deps.runs.list(tenantId, { schedule: id, limit: recentRuns })),
      this.#missed(schedule),
    ]);
    return { schedule, temporal, recent, missed };
  }

  async replace(principal: Principal, id: string, definition: ScheduleDefinition): Promise<ScheduleDoc> {
    await this.#requireSource(principal.tenantId, definition);
    return this.#change(principal, await this.#find(principal.tenantId, id), definition);
  }

  async pause(principal: Principal, id: string, paused: boolean, note: string | undefined): Promise<ScheduleDoc> {
    const schedule = await this.#find(principal.tenantId, id);
    const { note: _before, ...rest } = schedule.definition;
    return this.#change(principal, schedule, { ...rest, paused, ...(note === undefined ? {} : { note }) });
  }

  /** Runs what a time of the schedule runs, now; also while it is paused. Answers the workflow. */
  async trigger({ tenantId, userId }: Principal, id: string, runId: string): Promise<string> {
    const schedule = await this.#settled(tenantId, id);
    const made = { trigger: 'manual', scheduledFor: new Date().toISOString(), actor: userId, runId } as const;
    return this.#deps.control.trigger(schedule, made);
  }

  /** Makes up for the times of a range that had no run. @throws InvalidInput for a range that is not one, or is too large */
  async backfill(tenantId: string, id: string, from: Date, to: Date, backfillId: string): Promise<Backfill> {
    if (to < from) throw rangeFault('/to', 'may not be before from');
    if (to.getTime() > Date.now()) throw rangeFault('/to', 'may not be in the future');
    const schedule = await this.#settled(tenantId, id);
    const [times, done] = await Promise.all([
      this.#times(schedule, from, to),
      inTime('MongoDB', this.#deps.runs.occasionsOf(tenantId, id, from, to)),
    ]);
    const missing = times.filter((time) => !done.has(time.getTime()));
    if (missing.length > limits.timesPerBackfill || times.length >= timesListed) {
      throw rangeFault('/to', `is too far from from: at most ${limits.timesPerBackfill} times are made up for at once`);
    }
    const workflowId = await this.#deps.control.backfill(schedule, {
      tenantId,
      scheduleId: id,
      savedSourceId: schedule.source_id,
      backfillId,
      times: missing.map((time) => time.toISOString()),
    });
    return { workflowId, times: missing, alreadyRun: times.length - missing.length };
  }

  /** Deletes the schedule. Runs that it has started go on. @throws LilyError `not-found` */
  async remove(tenantId: string, id: string): Promise<void> {
    const schedule = await inTime('MongoDB', this.#deps.schedules.markDeleting(tenantId, id));
    if (schedule === undefined) throw notThere();
    await this.#deps.control.remove(schedule);
    await inTime('MongoDB', this.#deps.schedules.remove(tenantId, id));
  }

  async #change({ userId }: Principal, before: ScheduleDoc, definition: ScheduleDefinition): Promise<ScheduleDoc> {
    const { tenant_id, _id } = before;
    const retimed = (['cron', 'every', 'time_zone'] as const).some(
      (part) => definition[part] !== before.definition[part],
    );
    const timing_since = retimed ? new Date() : before.timing_since;
    const change = { definition, timing_since, updated_by: userId };
    const after = await inTime('MongoDB', this.#deps.schedules.replace(tenant_id, _id, before.revision, change));
    if (after === undefined) throw new LilyError('conflict', 'The schedule has just been changed. Look at it again.');
    try {
      await this.#apply(after);
    } catch (error) {
      if (error instanceof InvalidInput) {
        const { definition: kept, timing_since, updated_by } = before;
        await inTime(
          'MongoDB',
          this.#deps.schedules.replace(tenant_id, _id, after.revision, { definition: kept, timing_since, updated_by }),
        );
      }
      throw error;
    }
    return after;
  }

  async #apply(schedule: ScheduleDoc): Promise<void> {
    const { tenant_id, _id, revision } = schedule;
    await this.#deps.control.apply(schedule);
    // Deleted in the meantime, it must not go on firing for nobody.
    if (!(await inTime('MongoDB', this.#deps.schedules.applied(tenant_id, _id, revision)))) {
      await this.#deps.control.remove(schedule);
    }
  }

  /** The schedule, which Temporal then has. @throws LilyError `not-found` */
  async #settled(tenantId: string, id: string): Promise<ScheduleDoc> {
    const schedule = await this.#find(tenantId, id);
    await this.#settle(schedule);
    return schedule;
  }

  /** Makes up for a request that died between the two stores. */
  async #settle(schedule: ScheduleDoc): Promise<void> {
    if (schedule.applied_revision < schedule.revision) await this.#apply(schedule);
  }

  /** What Temporal says of it. A schedule that was taken away or put back there from outside is made anew. */
  async #described(schedule: ScheduleDoc): Promise<ScheduleDescription | undefined> {
    const { control } = this.#deps;
    const there = await control.describe(schedule);
    if (there !== undefined && revisionOf(there) >= schedule.revision) return there;
    await this.#apply(schedule);
    return control.describe(schedule);
  }

  /** The nominal times of a range, by a schedule that is made anew if Temporal has lost it. */
  async #times(schedule: ScheduleDoc, from: Date, to: Date): Promise<Date[]> {
    const { control } = this.#deps;
    const listed = await control.times(schedule, from, to);
    if (listed !== undefined) return listed;
    await this.#apply(schedule);
    return (await control.times(schedule, from, to)) ?? [];
  }

  /** Times of the last days that had no run: it was paused, something was down, or the source was being read. */
  async #missed(schedule: ScheduleDoc): Promise<Date[]> {
    const { every, jitter } = schedule.definition;
    const stepMs = every === undefined ? 0 : durationMs(every);
    const to = Date.now() - settlingMs - (jitter === undefined ? 0 : durationMs(jitter));
    const windowMs = stepMs === 0 ? missedWindowMs : Math.min(missedWindowMs, stepMs * (timesListed - 1));
    const from = Math.max(to - windowMs, schedule.timing_since.getTime());
    if (to <= from) return [];
    const range = [new Date(from), new Date(to)] as const;
    const [times, done] = await Promise.all([
      this.#times(schedule, ...range),
      inTime('MongoDB', this.#deps.runs.occasionsOf(schedule.tenant_id, schedule._id, ...range)),
    ]);
    return times.filter((time) => !done.has(time.getTime())).slice(0, missedShown);
  }

  async #requireSource(tenantId: string, { source_id }: ScheduleDefinition): Promise<void> {
    try {
      await this.#deps.sources.get(tenantId, source_id);
    } catch (error) {
      if (!(error instanceof LilyError) || error.code !== 'not-found') throw error;
      const detail = 'names no saved source';
      throw new InvalidInput(`/source_id in the body ${detail}`, [{ field: '/source_id', detail }]);
    }
  }

  async #find(tenantId: string, id: string): Promise<ScheduleDoc> {
    const schedule = await inTime('MongoDB', this.#deps.schedules.get(tenantId, id));
    if (schedule === undefined) throw notThere();
    return schedule;
  }
}

function notThere(): LilyError {
  return new LilyError('not-found', 'There is no such schedule.');
}

function rangeFault(field: string, detail: string): InvalidInput {
  return new InvalidInput(`${field} in the body ${detail}`, [{ field, detail }]);
}
