import { setTimeout as sleep } from 'node:timers/promises';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { dryRunWorkflowId } from '#domain/ingestion/dry-run.ts';
import { publicSource, sourceIdOf, type SourceOptions } from '#domain/ingestion/source.ts';
import { limits } from '#domain/limits.ts';
import type { DryRunDoc, DryRunFindings, DryRuns, NewDryRun } from '#platform/mongo/dry-runs.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';
import type { DryRunControl } from './dry-run-control.ts';
import { requireAllowedHosts } from './source-addresses.ts';
import type { SourceService } from './source-service.ts';

export interface DryRunServiceDeps {
  dryRuns: Pick<DryRuns, 'create' | 'underway' | 'get' | 'end' | 'findings'>;
  control: DryRunControl;
  sources: Pick<SourceService, 'optionsOf'>;
  secretBox: Pick<SecretBox, 'seal'>;
  allowPrivateSources: boolean;
}

export interface DryRunReport extends DryRunFindings {
  dryRun: DryRunDoc;
}

const pollMs = 100;
/** A dry run that is shown as running for so long is looked up in Temporal: its workflow may have been terminated. */
const silentMs = 30_000;

/** Starts dry runs and tells what they found. */
export class DryRunService {
  readonly #deps: DryRunServiceDeps;

  constructor(deps: DryRunServiceDeps) {
    this.#deps = deps;
  }

  /**
   * Starts a dry run. The same id again finds the one that it started.
   * @throws LilyError `source-refused`, `source-unreachable` for the source's address; `rate-limited` when as many dry runs of
   * the tenant are underway as may be
   */
  async start({ tenantId, userId }: Principal, source: SourceOptions, dryRunId: string): Promise<DryRunDoc> {
    await requireAllowedHosts(source, this.#deps.allowPrivateSources);
    const sourceId = sourceIdOf(source);
    const dryRun = await this.#seated({
      _id: dryRunId,
      tenant_id: tenantId,
      source_id: sourceId,
      source: publicSource(source),
      sealed_source: this.#deps.secretBox.seal(JSON.stringify(source), dryRunId),
      workflow_id: dryRunWorkflowId(tenantId, dryRunId),
      actor: userId,
    });
    if (dryRun.state === 'running') {
      const request = { tenantId, dryRunId, sourceId, sourceType: source.type, actor: userId };
      await this.#deps.control.start(request, dryRun.workflow_id);
    }
    return dryRun;
  }

  /** Starts a dry run of a saved source. @throws LilyError `not-found` when there is none */
  async startSaved(principal: Principal, savedSourceId: string, dryRunId: string): Promise<DryRunDoc> {
    return this.start(principal, await this.#deps.sources.optionsOf(principal.tenantId, savedSourceId), dryRunId);
  }

  /** The dry run and its findings so far. @throws LilyError `not-found` */
  async report(tenantId: string, dryRunId: string): Promise<DryRunReport> {
    const dryRun = await this.#current(await this.#find(tenantId, dryRunId));
    return { dryRun, ...(await inTime('MongoDB', this.#deps.dryRuns.findings(tenantId, dryRunId))) };
  }

  /** The report once the dry run has ended, or as it is when that takes longer. */
  async reportWithin(tenantId: string, dryRunId: string, seconds: number): Promise<DryRunReport> {
    for (const deadline = Date.now() + seconds * 1_000; Date.now() < deadline; await sleep(pollMs)) {
      if ((await this.#find(tenantId, dryRunId)).state !== 'running') break;
    }
    return this.report(tenantId, dryRunId);
  }

  /** Ends a dry run. @throws LilyError `not-found`; `conflict` when it has ended */
  async cancel(tenantId: string, dryRunId: string): Promise<DryRunReport> {
    const dryRun = await this.#find(tenantId, dryRunId);
    if (dryRun.state !== 'running') throw new LilyError('conflict', `The dry run is ${dryRun.state}.`);
    await this.#deps.control.cancel(dryRun.workflow_id);
    return this.report(tenantId, dryRunId);
  }

  /** Keeps the dry run. Those that died and take a seat without knowing make room first. */
  async #seated(wanted: NewDryRun): Promise<DryRunDoc> {
    const { dryRuns } = this.#deps;
    const create = () => inTime('MongoDB', dryRuns.create(wanted, limits.dryRunsPerTenant));
    const at = await create();
    if (at !== undefined) return at;
    const underway = await inTime('MongoDB', dryRuns.underway(wanted.tenant_id));
    await Promise.all(underway.map((dryRun) => this.#current(dryRun)));
    const then = await create();
    if (then !== undefined) return then;
    const most = limits.dryRunsPerTenant;
    throw new LilyError('rate-limited', `${most} dry runs are underway, as many as may be. Wait until one ends.`);
  }

  async #find(tenantId: string, dryRunId: string): Promise<DryRunDoc> {
    const dryRun = await inTime('MongoDB', this.#deps.dryRuns.get(tenantId, dryRunId));
    if (dryRun === undefined) throw new LilyError('not-found', 'There is no such dry run.');
    return dryRun;
  }

  async #current(dryRun: DryRunDoc): Promise<DryRunDoc> {
    if (dryRun.state !== 'running' || Date.now() - dryRun.started_at.getTime() < silentMs) return dryRun;
    const { tenant_id, _id, workflow_id } = dryRun;
    const workflow = await this.#deps.control.state(workflow_id).catch(() => 'running' as const);
    if (workflow === 'running') return dryRun;
    const reason = 'The workflow of the dry run was ended from outside, or never began.';
    await inTime('MongoDB', this.#deps.dryRuns.end(tenant_id, _id, { state: 'failed', reason }));
    return this.#find(tenant_id, _id);
  }
}
