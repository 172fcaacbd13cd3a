import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { isFinal, runWorkflowId } from '#domain/ingestion/run.ts';
import { publicSource, sourceHosts, sourceIdOf, type SourceOptions } from '#domain/ingestion/source.ts';
import { resolveAllowed } from '#platform/address-guard.ts';
import type { RunDoc, RunFilter, Runs } from '#platform/mongo/runs.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';
import type { RunAction, RunControl } from './run-control.ts';

export interface RunServiceDeps {
  runs: Pick<Runs, 'claim' | 'get' | 'list' | 'abandon'>;
  control: RunControl;
  secretBox: Pick<SecretBox, 'seal'>;
  allowPrivateSources: boolean;
}

/** A run without news for this long is looked up in Temporal: its workflow may have been terminated. */
const silentMs = 30_000;

/** Starts, finds and steers runs. */
export class RunService {
  readonly #deps: RunServiceDeps;

  constructor(deps: RunServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Starts a run. The same `runId` again finds the run that it started.
   * @throws LilyError `conflict` while another run reads the source; `source-refused` or `source-unreachable` for its address
   */
  async start({ tenantId, userId }: Principal, source: SourceOptions, runId: string): Promise<RunDoc> {
    for (const { host, field } of sourceHosts(source)) {
      await resolveAllowed(host, this.#deps.allowPrivateSources, { field });
    }
    const sourceId = sourceIdOf(source);
    const claim = {
      _id: runId,
      tenant_id: tenantId,
      source_id: sourceId,
      source: publicSource(source),
      sealed_source: this.#deps.secretBox.seal(JSON.stringify(source), runId),
      workflow_id: runWorkflowId(tenantId, sourceId, runId),
      actor: userId,
    };
    let run = await inTime('MongoDB', this.#deps.runs.claim(claim));
    // A run that has died, and holds the source without knowing, makes room.
    if (run._id !== runId && isFinal((await this.#current(run)).state)) {
      run = await inTime('MongoDB', this.#deps.runs.claim(claim));
    }
    if (run._id !== runId) {
      throw new LilyError('conflict', `The run ${run._id} is reading this source. Wait until it ends, or cancel it.`);
    }
    if (!isFinal(run.state)) {
      const request = { tenantId, runId, sourceId, sourceType: source.type, actor: run.actor };
      await this.#deps.control.start(request, run.workflow_id, sourceId);
    }
    return run;
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
    const progress = await this.#deps.control.act(run.workflow_id, action);
    return { ...(await this.#find(tenantId, runId)), ...progress };
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
