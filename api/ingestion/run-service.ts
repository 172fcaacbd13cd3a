import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { isFinal, resumptionOf, retriableStates, runWorkflowId, type RunTrigger } from '#domain/ingestion/run.ts';
import { publicSource, sourceIdOf, sourceSchema, type SourceOptions } from '#domain/ingestion/source.ts';
import { limits } from '#domain/limits.ts';
import {
  progressOf,
  type Claim,
  type NewRun,
  type RunAttempt,
  type RunDoc,
  type RunFilter,
  type Runs,
} from '#platform/mongo/runs.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';
import type { RunAction, RunControl } from './run-control.ts';
import { requireAllowedHosts } from './source-addresses.ts';
import type { SourceService } from './source-service.ts';

export interface RunServiceDeps {
  runs: Pick<Runs, 'claim' | 'reopen' | 'get' | 'list' | 'abandon'>;
  control: RunControl;
  secretBox: SecretBox;
  allowPrivateSources: boolean;
  /** Runs of one tenant that may be active at once. */
  runsPerTenant: number;
}

/** Where a run comes from, beside who asked for it. */
interface RunOrigin {
  savedSourceId?: string;
  rerunOf?: string;
  trigger?: RunTrigger;
}

/** A run without news for this long is looked up in Temporal: its workflow may have been terminated. */
const silentMs = 30_000;

/** Starts, finds and steers runs. */
export class RunService {
  readonly #deps: RunServiceDeps;
  readonly #sources: Pick<SourceService, 'optionsOf'>;

  constructor(deps: RunServiceDeps, sources: Pick<SourceService, 'optionsOf'>) {
    this.#deps = deps;
    this.#sources = sources;
  }

  /**
   * Starts a run. The same `runId` again finds the run that it started.
   * @throws LilyError `conflict` while another run reads the source; `rate-limited` when the tenant has as many active runs
   * as it may; `source-refused` or `source-unreachable` for its address
   */
  async start(
    { tenantId, userId }: Principal,
    source: SourceOptions,
    runId: string,
    { savedSourceId, rerunOf, trigger = 'request' }: RunOrigin = {},
  ): Promise<RunDoc> {
    await requireAllowedHosts(source, this.#deps.allowPrivateSources);
    const sourceId = sourceIdOf(source);
    const wanted: NewRun = {
      _id: runId,
      tenant_id: tenantId,
      source_id: sourceId,
      source: publicSource(source),
      sealed_source: this.#deps.secretBox.seal(JSON.stringify(source), runId),
      workflow_id: runWorkflowId(tenantId, sourceId, runId),
      actor: userId,
      trigger,
      ...(savedSourceId === undefined ? {} : { saved_source_id: savedSourceId }),
      ...(rerunOf === undefined ? {} : { rerun_of: rerunOf }),
    };
    const run = await this.#claimed(() => this.#deps.runs.claim(wanted, this.#deps.runsPerTenant));
    if (!isFinal(run.state)) {
      // A repetition may bring its file as another upload, which would name the source anew.
      const request = { tenantId, runId, sourceId: run.source_id, sourceType: source.type, actor: run.actor };
      await this.#deps.control.start(request, run.workflow_id, run.source_id);
    }
    return run;
  }

  /** Starts a run of a saved source. @throws LilyError `not-found` when there is none, beside what {@link start} throws */
  async startSaved(principal: Principal, savedSourceId: string, runId: string): Promise<RunDoc> {
    const source = await this.#sources.optionsOf(principal.tenantId, savedSourceId);
    return this.start(principal, source, runId, { savedSourceId });
  }

  /** A new run of the source of an old one: of the saved source as it is today, if it came from one that is still there. */
  async rerun(principal: Principal, oldRunId: string, runId: string): Promise<RunDoc> {
    const old = await this.#find(principal.tenantId, oldRunId);
    const { saved_source_id: savedSourceId } = old;
    if (savedSourceId !== undefined) {
      const today = await this.#sources.optionsOf(principal.tenantId, savedSourceId).catch(nothingThere);
      if (today !== undefined) return this.start(principal, today, runId, { savedSourceId, rerunOf: oldRunId });
    }
    return this.start(principal, this.#optionsOf(old), runId, { rerunOf: oldRunId });
  }

  /**
   * Lets a run that failed, was cancelled or is degraded go on where it stopped, in one more attempt. Asked again after
   * Temporal did not answer, it starts the attempt that was opened then.
   * @throws LilyError `not-found`; `conflict` in another state, or while another run reads the source; `rate-limited`
   */
  async retry({ tenantId, userId }: Principal, runId: string): Promise<RunDoc> {
    const run = await this.get(tenantId, runId);
    const attempts = run.attempts ?? [];
    const opened = attempts.at(-1);
    if (opened !== undefined && (await this.#neverStarted(run, opened))) {
      await this.#startAttempt(run, opened, run.revision);
      return run;
    }
    if (!retriableStates.some((state) => state === run.state)) {
      throw new LilyError(
        'conflict',
        `The run is ${run.state}. Only one that is ${retriableStates.join(', ')} goes on.`,
      );
    }
    if (attempts.length === 0) throw new LilyError('conflict', 'The run never began: start a new one with …/rerun.');
    if (attempts.length >= limits.attemptsPerRun) {
      throw new LilyError('conflict', `The run has had ${attempts.length} attempts. Start a new one with …/rerun.`);
    }
    await requireAllowedHosts(this.#optionsOf(run), this.#deps.allowPrivateSources);
    const attempt = attempts.length + 1;
    const workflowId = runWorkflowId(tenantId, run.source_id, runId, attempt);
    const next = {
      number: attempt,
      workflow_id: workflowId,
      actor: userId,
      started_at: new Date(),
      read_before: run.counts.read,
    };
    const reopened = await this.#claimed(async () => {
      const claim = await this.#deps.runs.reopen(run, next, this.#deps.runsPerTenant);
      if (claim === undefined) throw new LilyError('conflict', 'The run has just gone on. Look at its state.');
      return claim;
    });
    // Two at once: the other one's attempt is the one that counts, and its caller starts it.
    if (reopened.workflow_id !== workflowId) throw new LilyError('conflict', 'The run has just gone on.');
    await this.#startAttempt(run, next, reopened.revision);
    return reopened;
  }

  /** @throws LilyError `not-found`, for another tenant's run as for none */
  async get(tenantId: string, runId: string): Promise<RunDoc> {
    return this.#current(await this.#find(tenantId, runId));
  }

  async list(tenantId: string, filter: RunFilter): Promise<RunDoc[]> {
    return inTime('MongoDB', this.#deps.runs.list(tenantId, filter));
  }

  /** @throws LilyError `not-found`; `conflict` when the run's state does not allow it */
  async act(tenantId: string, runId: string, action: RunAction): Promise<RunDoc> {
    const run = await this.#find(tenantId, runId);
    if (isFinal(run.state)) throw new LilyError('conflict', `The run is ${run.state}.`);
    if (run.state === 'waiting' && action !== 'cancel') throw new LilyError('conflict', 'The run waits for its turn.');
    const progress = await this.#deps.control.act(run.workflow_id, action);
    return { ...(await this.#find(tenantId, runId)), ...progress };
  }

  /**
   * Whether this is a later attempt whose request died before it could start the workflow. The first attempt is left alone:
   * a schedule may be about to start it.
   */
  async #neverStarted(run: RunDoc, attempt: RunAttempt): Promise<boolean> {
    if (run.state !== 'running' || attempt.number === 1 || attempt.ended_at !== undefined) return false;
    return (await this.#deps.control.state(attempt.workflow_id)) === 'absent';
  }

  /** Starts a later attempt, which goes on from the last report; started before, it is left as it is. */
  async #startAttempt(run: RunDoc, attempt: RunAttempt, revision: number): Promise<void> {
    const { _id: runId, tenant_id: tenantId, source_id: sourceId, position } = run;
    const resume = resumptionOf(progressOf(run), revision, position);
    const { number, actor, workflow_id } = attempt;
    const request = { tenantId, runId, sourceId, sourceType: run.source.type, actor, attempt: number, resume };
    await this.#deps.control.start(request, workflow_id, sourceId);
  }

  #optionsOf(run: RunDoc): SourceOptions {
    return sourceSchema.parse(JSON.parse(this.#deps.secretBox.open(run.sealed_source, run._id)));
  }

  /** The run that has the source. One that died and holds it without knowing makes room first. */
  async #claimed(claim: () => Promise<Claim>): Promise<RunDoc> {
    let claimed = await inTime('MongoDB', claim());
    if (claimed.outcome === 'held' && isFinal((await this.#current(claimed.holder)).state)) {
      claimed = await inTime('MongoDB', claim());
    }
    if (claimed.outcome === 'claimed') return claimed.run;
    if (claimed.outcome === 'held') {
      const { _id } = claimed.holder;
      throw new LilyError('conflict', `The run ${_id} is reading this source. Wait until it ends, or cancel it.`);
    }
    const { runsPerTenant } = this.#deps;
    throw new LilyError('rate-limited', `${runsPerTenant} runs are active, as many as may be. Wait until one ends.`);
  }

  async #find(tenantId: string, runId: string): Promise<RunDoc> {
    const run = await inTime('MongoDB', this.#deps.runs.get(tenantId, runId));
    if (run === undefined) throw new LilyError('not-found', 'There is no such run.');
    return run;
  }

  /** The run as it is. One that has been silent for long is compared with Temporal; without Temporal its document has to do. */
  async #current(run: RunDoc): Promise<RunDoc> {
    if (isFinal(run.state) || Date.now() - run.updated_at.getTime() < silentMs) return run;
    const workflow = await this.#deps.control.state(run.workflow_id).catch(() => 'running' as const);
    if (workflow === 'running') return run;
    const reason =
      workflow === 'absent' ? 'The run was never started.' : 'The workflow of the run was ended from outside.';
    await inTime('MongoDB', this.#deps.runs.abandon(run.tenant_id, run._id, reason));
    return this.#find(run.tenant_id, run._id);
  }
}

/** For a look at what may be missing. */
export function nothingThere(error: unknown): undefined {
  if (error instanceof LilyError && error.code === 'not-found') return undefined;
  throw error;
}
