import { LilyError } from '#domain/errors.ts';
import { runWorkflowId, isFinal, type RunTrigger } from '#domain/ingestion/run.ts';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import { durationMs, occasionOf, scheduleActor, type ScheduledRun, type Turn } from '#domain/ingestion/schedule.ts';
import { limits } from '#domain/limits.ts';
import { newRecordId } from '#platform/digest.ts';
import type { RunDoc, Runs } from '#platform/mongo/runs.ts';
import type { Schedules } from '#platform/mongo/schedules.ts';
import type { Sources } from '#platform/mongo/sources.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { asFailure } from './failures.ts';

export interface ScheduledRunDeps {
  runs: Pick<
    Runs,
    'announce' | 'get' | 'claimWaiting' | 'waitingBefore' | 'waitingOf' | 'keepWaiting' | 'endWaiting' | 'abandon'
  >;
  schedules: Pick<Schedules, 'get'>;
  sources: Pick<Sources, 'get'>;
  secretBox: SecretBox;
  /** What Temporal knows of a workflow. */
  workflowState(workflowId: string): Promise<'running' | 'ended' | 'absent'>;
  /** Runs of one tenant that may be active at once. */
  runsPerTenant: number;
}

/** One time of a schedule. */
export interface Occasion {
  tenantId: string;
  scheduleId: string;
  /** RFC 3339 */
  scheduledFor: string;
  trigger: Exclude<RunTrigger, 'request'>;
  /** Absent for the schedule itself. */
  actor?: string;
  /** The workflow that asks. */
  workflowId: string;
  runId?: string;
}

/** The run that was made for an occasion, or why there is none to make. */
export type Announcement = { run: ScheduledRun } | { nothing: string };

export type ScheduledRunActivities = ReturnType<typeof scheduledRunActivities>;

/** A run that waits is taken for dead when nothing was heard of it for this long; it then holds up nobody. */
const waitingSilenceMs = 60_000;
/** A run that reads and is silent for this long is looked up in Temporal: its workflow may have been terminated. */
const readingSilenceMs = 30_000;

/** The steps of `fireSchedule`. Each can be done twice, or half and then again. */
export function scheduledRunActivities(deps: ScheduledRunDeps) {
  const { runs } = deps;

  /** Whether the run that holds a source has died without a word; then it holds it no more. */
  const hasDied = async (holder: RunDoc): Promise<boolean> => {
    if (Date.now() - holder.updated_at.getTime() < readingSilenceMs) return false;
    if ((await deps.workflowState(holder.workflow_id)) === 'running') return false;
    await runs.abandon(holder.tenant_id, holder._id, 'The workflow of the run was ended from outside.');
    return true;
  };

  const takeTurn = async (run: RunDoc, scheduled: ScheduledRun): Promise<Turn> => {
    if (isFinal(run.state)) return { outcome: 'ended' };
    const first = await runs.waitingBefore(run, new Date(Date.now() - waitingSilenceMs));
    if (first !== undefined && run.state === 'waiting') {
      const sameSchedule = first.schedule_id === run.schedule_id;
      return { outcome: 'queued', behindRunId: first._id, sameSchedule };
    }
    const { tenantId, sourceId, runId } = scheduled.ref;
    const claim = await runs.claimWaiting(run, runWorkflowId(tenantId, sourceId, runId), deps.runsPerTenant);
    if (claim === undefined) return { outcome: 'ended' };
    if (claim.outcome === 'full') return { outcome: 'full' };
    if (claim.outcome === 'claimed') return { outcome: 'turn' };
    if (await hasDied(claim.holder)) return takeTurn(run, scheduled);
    return { outcome: 'held', holderRunId: claim.holder._id, holderWorkflowId: claim.holder.workflow_id };
  };

  /** Ends a run that has just been announced when too many of its schedule wait already; the reason, if so. */
  const skippedAsTooMany = async ({ _id, tenant_id, state, reason }: RunDoc, schedule: string) => {
    if (isFinal(state)) return reason ?? 'It has ended.';
    const most = limits.waitingPerSchedule;
    // The run itself is counted.
    const waiting = await runs.waitingOf(tenant_id, schedule, new Date(Date.now() - waitingSilenceMs));
    if (waiting <= most) return undefined;
    const tooMany = `${most} runs of the schedule were waiting already, as many as may.`;
    await runs.endWaiting(tenant_id, _id, 'skipped', tooMany);
    return tooMany;
  };

  return {
    /** Makes the run of one time of a schedule, with a sealed copy of the source's options as they are now. */
    async announceRun(occasion: Occasion): Promise<Announcement> {
      return telling(async () => {
        const { tenantId, scheduleId, trigger, workflowId } = occasion;
        const schedule = await deps.schedules.get(tenantId, scheduleId);
        if (schedule === undefined) return { nothing: 'The schedule is gone.' };
        const { overlap, jitter, paused } = schedule.definition;
        // A time may be on its way as the schedule is paused, or Temporal may not have heard of it.
        if (paused && trigger === 'schedule') return { nothing: 'The schedule is paused.' };
        const saved = await deps.sources.get(tenantId, schedule.source_id);
        if (saved === undefined) return { nothing: 'The source is gone.' };
        const options = deps.secretBox.open(saved.sealed_source, savedSourceContext(tenantId, saved._id));
        const runId = occasion.runId ?? newRecordId();
        const scheduledFor = new Date(occasion.scheduledFor);
        const jitterMs = trigger === 'schedule' && jitter !== undefined ? durationMs(jitter) : 0;
        const run = await runs.announce({
          _id: runId,
          tenant_id: tenantId,
          source_id: saved.place,
          source: saved.source,
          sealed_source: deps.secretBox.seal(options, runId),
          saved_source_id: saved._id,
          workflow_id: workflowId,
          actor: occasion.actor ?? scheduleActor(scheduleId),
          trigger,
          schedule_id: scheduleId,
          scheduled_for: scheduledFor,
          occasion: occasionOf(scheduleId, scheduledFor),
          ...(jitterMs === 0 ? {} : { not_before: new Date(Date.now() + jitterMs) }),
        });
        // One that is there already was made by an earlier attempt at this step, unless another workflow made it.
        if (run.workflow_id !== workflowId) return { nothing: `This time has had its run: ${run._id}.` };
        const tooMany = await skippedAsTooMany(run, scheduleId);
        if (tooMany !== undefined) return { nothing: tooMany };
        const ref = {
          tenantId,
          runId: run._id,
          sourceId: run.source_id,
          sourceType: run.source.type,
          actor: run.actor,
        };
        return { run: { ref, overlap: trigger === 'backfill' ? 'buffer_all' : overlap, jitterMs } };
      });
    },

    /** Gives the run the source if nobody else has it; else says who. */
    async takeTurn(scheduled: ScheduledRun): Promise<Turn> {
      return telling(async () => {
        const { tenantId, runId } = scheduled.ref;
        const run = await runs.get(tenantId, runId);
        if (run === undefined) return { outcome: 'ended' };
        const turn = await takeTurn(run, scheduled);
        const waitsFor = waitingText(turn);
        if (waitsFor !== undefined) await runs.keepWaiting(tenantId, runId, waitsFor);
        return turn;
      });
    },

    /** Ends a run that waits. */
    async endWaitingRun(
      { ref: { tenantId, runId } }: ScheduledRun,
      state: 'skipped' | 'cancelled',
      reason: string,
    ): Promise<void> {
      return telling(() => runs.endWaiting(tenantId, runId, state, reason));
    },
  };
}

function waitingText(turn: Turn): string | undefined {
  if (turn.outcome === 'held') return `Waiting for the run ${turn.holderRunId}, which reads the source`;
  if (turn.outcome === 'queued') return `Waiting behind the run ${turn.behindRunId}`;
  if (turn.outcome === 'full') return 'Waiting: the tenant has as many active runs as it may';
  return undefined;
}

/** Turns errors into what Temporal understands. */
async function telling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof LilyError || error instanceof Error ? asFailure(error) : error;
  }
}
