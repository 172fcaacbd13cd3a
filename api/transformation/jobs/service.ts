import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { isJobFinal, jobWorkflowId, type JobKind, type RawRange } from '#domain/transformation/job.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import type { JobDoc, ReplayTask, TransformationJobs } from '#platform/mongo/transformation-jobs.ts';
import { inTime } from '../../http/outage.ts';
import { InvalidInput } from '../../http/invalid-input.ts';
import type { JobAction, JobControl } from './control.ts';

export interface JobServiceDeps {
  jobs: TransformationJobs;
  control: JobControl;
  rawRecords: Pick<RawRecords, 'countArrived'>;
  deadLetters: Pick<DeadLetters, 'release'>;
}

/** A job without news for this long is looked up in Temporal: its workflow may have been terminated. */
const silentMs = 30_000;
/** Counting raw records of a range may take longer than a usual request. */
const countTimeoutMs = 20_000;

/** Starts, finds and steers replays and reprocessings. */
export class JobService {
  readonly #deps: JobServiceDeps;

  constructor(deps: JobServiceDeps) {
    this.#deps = deps;
  }

  /** Starts a replay. Letters that an earlier one left behind, because its workflow was ended from outside, are free again. */
  async replay(principal: Principal, task: ReplayTask, jobId: string): Promise<JobDoc> {
    await this.#freeAbandoned(principal.tenantId);
    const what = task.record_id === undefined ? 'dead letters' : 'one dead letter';
    return this.#start(principal, 'replay', jobId, { replay: task }, `Replays ${what} of ${principal.tenantId}`);
  }

  /** Starts a reprocessing. @throws InvalidInput when the range holds more than one job takes */
  async reprocess(principal: Principal, range: RawRange, dryRun: boolean, jobId: string): Promise<JobDoc> {
    const most = limits.reprocessRecords;
    const { tenantId } = principal;
    const counting = this.#deps.rawRecords.countArrived(tenantId, new Date(range.from), new Date(range.to), most + 1);
    if ((await inTime('MongoDB', counting, countTimeoutMs)) > most) {
      const detail = `holds more than ${most} raw records; take a shorter range`;
      throw new InvalidInput(`The range ${detail}`, [{ field: '/to', detail }]);
    }
    const summary = `Reprocesses what arrived from ${range.from} to ${range.to}${dryRun ? ' (dry run)' : ''}`;
    return this.#start(principal, 'reprocess', jobId, { reprocess: { ...range, dry_run: dryRun } }, summary);
  }

  /** @throws LilyError `not-found`, for another tenant's job as for none */
  async get(tenantId: string, kind: JobKind, jobId: string): Promise<JobDoc> {
    const job = await this.#find(tenantId, kind, jobId);
    if (isJobFinal(job.state) || Date.now() - job.updated_at.getTime() < silentMs) return job;
    const running = await this.#deps.control.isRunning(job.workflow_id).catch(() => true);
    if (running) return job;
    await this.#abandon(job);
    return this.#find(tenantId, kind, jobId);
  }

  async list(tenantId: string, kind: JobKind, page: { before?: string | undefined; limit: number }): Promise<JobDoc[]> {
    return inTime('MongoDB', this.#deps.jobs.list(tenantId, kind, page));
  }

  /** @throws LilyError `not-found`; `conflict` when the job's state does not allow it */
  async act({ tenantId, userId }: Principal, kind: JobKind, jobId: string, action: JobAction): Promise<JobDoc> {
    const job = await this.#find(tenantId, kind, jobId);
    if (isJobFinal(job.state)) throw new LilyError('conflict', `The job is ${job.state}.`);
    const progress = await this.#deps.control.act(job.workflow_id, action);
    await inTime('MongoDB', this.#deps.jobs.note(tenantId, jobId, action, userId));
    return { ...(await this.#find(tenantId, kind, jobId)), ...progress };
  }

  async #start(
    { tenantId, userId }: Principal,
    kind: JobKind,
    jobId: string,
    task: Pick<JobDoc, 'replay' | 'reprocess'>,
    summary: string,
  ): Promise<JobDoc> {
    const workflow_id = jobWorkflowId(kind, { tenantId, jobId });
    const plan = { _id: jobId, tenant_id: tenantId, kind, workflow_id, actor: userId, ...task };
    const job = await inTime('MongoDB', this.#deps.jobs.create(plan));
    if (!isJobFinal(job.state)) await this.#deps.control.start(kind, { tenantId, jobId, actor: userId }, summary);
    return job;
  }

  async #find(tenantId: string, kind: JobKind, jobId: string): Promise<JobDoc> {
    const job = await inTime('MongoDB', this.#deps.jobs.get(tenantId, kind, jobId));
    if (job === undefined) throw new LilyError('not-found', 'There is no such job.');
    return job;
  }

  async #freeAbandoned(tenantId: string): Promise<void> {
    const since = new Date(Date.now() - silentMs);
    for (const job of await inTime('MongoDB', this.#deps.jobs.silentSince(tenantId, 'replay', since))) {
      if (!(await this.#deps.control.isRunning(job.workflow_id))) await this.#abandon(job);
    }
  }

  async #abandon({ tenant_id, _id }: JobDoc): Promise<void> {
    await inTime('MongoDB', this.#deps.deadLetters.release(tenant_id, _id));
    const reason = 'The workflow of the job was ended from outside.';
    await inTime('MongoDB', this.#deps.jobs.abandon(tenant_id, _id, reason));
  }
}
