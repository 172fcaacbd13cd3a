import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowExecutionAlreadyStartedError,
  type Client,
  type ScheduleDescription,
} from '@temporalio/client';
import {
  backfillWorkflowId,
  durationMs,
  fireWorkflowId,
  temporalScheduleId,
  type BackfillRequest,
  type FireScheduleRequest,
} from '#domain/ingestion/schedule.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import type { ScheduleDoc } from '#platform/mongo/schedules.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { inTime } from '../http/outage.ts';

export type ScheduleControl = ReturnType<typeof scheduleControl>;

/** The most times that Temporal lists at once. */
export const timesListed = 1_000;

/** Temporal's schedules, made from ours; and the workflows that are started for one by hand. */
export function scheduleControl(temporal: Client) {
  const handleOf = ({ tenant_id, _id }: ScheduleDoc) => temporal.schedule.getHandle(temporalScheduleId(tenant_id, _id));

  const start = async (type: string, workflowId: string, args: unknown[], about: ReturnType<typeof labelled>) => {
    const started = temporal.workflow.start(type, {
      workflowId,
      taskQueue: taskQueues.ingestion,
      args,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'USE_EXISTING',
      ...about,
    });
    await inTime('Temporal', started).catch((error: unknown) => {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    });
  };

  return {
    /**
     * Makes Temporal's schedule what the document says, whether it is there or not, unless it was made from a later revision:
     * a change that took too long must not undo the one after it. @throws InvalidInput for its times
     */
    async apply(schedule: ScheduleDoc): Promise<void> {
      const options = optionsOf(schedule);
      const update = (): Promise<void> =>
        handleOf(schedule)
          .update((there) => {
            if (revisionOf(there) > schedule.revision) throw new Superseded();
            return options;
          })
          .catch((error: unknown) => {
            if (!(error instanceof Superseded)) throw error;
          });
      const put = async (): Promise<void> => {
        try {
          await update();
        } catch (error) {
          if (!(error instanceof ScheduleNotFoundError)) throw error;
          const { tenant_id, _id } = schedule;
          await temporal.schedule
            .create({ ...options, scheduleId: temporalScheduleId(tenant_id, _id) })
            .catch((failure: unknown) => {
              if (!(failure instanceof ScheduleAlreadyRunning)) throw failure;
              return update();
            });
        }
      };
      try {
        await inTime('Temporal', put());
      } catch (error) {
        throw refusalOf(error) ?? error;
      }
    },

    /** What Temporal says of it; undefined when it has none. */
    async describe(schedule: ScheduleDoc): Promise<ScheduleDescription | undefined> {
      return inTime('Temporal', handleOf(schedule).describe().catch(nothing));
    },

    async remove(schedule: ScheduleDoc): Promise<void> {
      await inTime('Temporal', handleOf(schedule).delete().catch(nothing));
    },

    /**
     * The nominal times from one moment to another, both included, the earliest first; at most {@link timesListed}.
     * Undefined when Temporal has no such schedule.
     */
    async times({ tenant_id, _id }: ScheduleDoc, from: Date, to: Date): Promise<Date[] | undefined> {
      const listing = temporal.workflowService.listScheduleMatchingTimes({
        namespace: temporal.options.namespace,
        scheduleId: temporalScheduleId(tenant_id, _id),
        // Temporal leaves out the beginning itself.
        startTime: timestampOf(from.getTime() - 1),
        endTime: timestampOf(to.getTime()),
      });
      const listed = await inTime('Temporal', listing.catch(nothing));
      return listed?.startTime.map(({ seconds, nanos }) => new Date(Number(seconds) * 1_000 + (nanos ?? 0) / 1e6));
    },

    /** Starts what a time of the schedule starts, now. */
    async trigger(schedule: ScheduleDoc, made: NonNullable<FireScheduleRequest['made']>): Promise<string> {
      const { tenant_id: tenantId, _id: scheduleId, source_id } = schedule;
      const request: FireScheduleRequest = { tenantId, scheduleId, made };
      const workflowId = `${fireWorkflowId(tenantId, source_id, scheduleId)}:manual-${made.runId ?? made.scheduledFor}`;
      await start('fireSchedule', workflowId, [request], labelled(schedule, 'fireSchedule', 'Asked for by hand'));
      return workflowId;
    },

    async backfill(schedule: ScheduleDoc, request: BackfillRequest): Promise<string> {
      const workflowId = backfillWorkflowId(request.tenantId, request.scheduleId, request.backfillId);
      const summary = `Makes up for ${request.times.length} times`;
      await start('backfillSchedule', workflowId, [request], labelled(schedule, 'backfillSchedule', summary));
      return workflowId;
    },
  };
}

function labelled({ tenant_id, _id, source_id }: ScheduleDoc, job: string, staticSummary: string) {
  return {
    typedSearchAttributes: typedLabels({ tenant: tenant_id, job, source: source_id, subject: _id }),
    staticSummary,
    staticDetails: `Schedule ${_id} of the source ${source_id} of tenant ${tenant_id}`,
  };
}

/**
 * Temporal fires each time for itself: what happens when the source is still being read is decided by `fireSchedule`, which
 * knows of runs of any origin, and leaves a trace of each time that does not take place.
 */
function optionsOf(schedule: ScheduleDoc) {
  const { tenant_id: tenantId, _id: scheduleId, source_id, definition } = schedule;
  const { cron, every, time_zone, catch_up_window, paused, note } = definition;
  const request: FireScheduleRequest = { tenantId, scheduleId, revision: schedule.revision };
  return {
    spec: {
      ...(cron === undefined ? {} : { cronExpressions: [cron] }),
      ...(every === undefined ? {} : { intervals: [{ every: durationMs(every) }] }),
      timezone: time_zone,
    },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'fireSchedule',
      workflowId: fireWorkflowId(tenantId, source_id, scheduleId),
      taskQueue: taskQueues.ingestion,
      args: [request],
      ...labelled(schedule, 'fireSchedule', 'A time of a schedule'),
    },
    policies: { overlap: ScheduleOverlapPolicy.ALLOW_ALL, catchupWindow: durationMs(catch_up_window) },
    state: { paused, note: note ?? '' },
    typedSearchAttributes: typedLabels({
      tenant: tenantId,
      job: 'fireSchedule',
      source: source_id,
      subject: scheduleId,
    }),
  };
}

function timestampOf(ms: number) {
  return { seconds: Math.floor(ms / 1_000) as never, nanos: (ms - Math.floor(ms / 1_000) * 1_000) * 1e6 };
}

/** Which revision of our schedule Temporal's was made from; 0 when it does not say. */
export function revisionOf({ action }: Pick<ScheduleDescription, 'action'>): number {
  const [request] = (action.args ?? []) as Partial<FireScheduleRequest>[];
  return request?.revision ?? 0;
}

/** Temporal has a later revision already. */
class Superseded extends Error {}

const notFound = 5;

function nothing(error: unknown): undefined {
  if (error instanceof ScheduleNotFoundError) return undefined;
  if (error instanceof Error && (error as { code?: unknown }).code === notFound) return undefined;
  throw error;
}

const invalidArgument = 3;

/** Times that Temporal does not understand, as the caller's fault. */
function refusalOf(error: unknown): InvalidInput | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, details } = cause as { code?: unknown; details?: unknown };
    if (code !== invalidArgument || typeof details !== 'string') continue;
    const field = /time ?zone/i.test(details) ? '/time_zone' : '/cron';
    const detail = `is not understood by Temporal: ${details}`;
    return new InvalidInput(`${field} in the body ${detail}`, [{ field, detail }]);
  }
  return undefined;
}
