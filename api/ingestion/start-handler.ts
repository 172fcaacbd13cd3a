import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Principal } from '#domain/access/principal.ts';
import type { SourceOptions } from '#domain/ingestion/source.ts';
import type { RunDoc } from '#platform/mongo/runs.ts';
import { sendAnswer, type Answer } from '../http/answer.ts';
import { idempotently, type RecordIds } from '../http/idempotent.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import { principalOf } from '../http/locals.ts';
import { isMultipart } from '../http/multipart.ts';
import { inTime } from '../http/outage.ts';
import { preferredWait } from '../http/prefer.ts';
import { noQuery } from '../http/query.ts';
import type { DryRunService } from './dry-run-service.ts';
import { dryRunView } from './dry-run-views.ts';
import { readFileStart } from './file-start.ts';
import { nothingThere, type RunService } from './run-service.ts';
import { startRunSchema } from './schemas.ts';
import { storedOnce, type UploadDeps } from './uploads.ts';
import { runView } from './views.ts';

export interface StartDeps extends UploadDeps {
  runs: RunService;
  dryRuns: DryRunService;
}

type StartRun = z.infer<typeof startRunSchema>;

/** Starts a run or a dry run: of a source that the body describes, of a saved one, or of a file that the body brings. */
export function startHandler(deps: StartDeps): RequestHandler {
  const begin = async (principal: Principal, body: unknown, id: string, wait: number | undefined): Promise<Answer> => {
    const wanted = parsed(body);
    await requireObject(deps, principal, wanted.source);
    return wanted.dry_run === true ? beginDryRun(principal, wanted, id, wait) : beginRun(principal, wanted, id);
  };

  const beginRun = async (principal: Principal, { source, source_id = '' }: StartRun, id: string): Promise<Answer> =>
    startedRun(
      source === undefined
        ? await deps.runs.startSaved(principal, source_id, id)
        : await deps.runs.start(principal, source, id),
    );

  const beginDryRun = async (
    principal: Principal,
    { source, source_id = '' }: StartRun,
    id: string,
    wait: number | undefined,
  ): Promise<Answer> => {
    const { dryRuns } = deps;
    if (source === undefined) await dryRuns.startSaved(principal, source_id, id);
    else await dryRuns.start(principal, source, id);
    const report = await dryRuns.reportWithin(principal.tenantId, id, wait ?? 0);
    const applied = wait === undefined ? {} : { 'Preference-Applied': `wait=${wait}` };
    return {
      status: report.dryRun.state === 'running' ? 202 : 200,
      headers: { Location: `/v1/dry-runs/${id}`, ...applied },
      body: dryRunView(report),
    };
  };

  return async (request, response) => {
    noQuery(request);
    const principal = principalOf(response);
    const wait = preferredWait(request.get('Prefer'));
    if (!isMultipart(request)) {
      const body: unknown = request.body;
      const run = (ids: (index: number) => string) => begin(principal, body, ids(0), wait);
      sendAnswer(response, await idempotently(deps.idempotency, request, principal, run));
      return;
    }
    const { body, ...upload } = await readFileStart(deps, request, principal);
    const run = (ids: RecordIds) => begin(principal, body, ids(0), wait);
    const isHeld = (ids: RecordIds) => isReadBy(deps, principal.tenantId, ids(0), upload.object.objectId);
    const answer = await storedOnce(deps, request, principal, upload, run, isHeld);
    sendAnswer(response, answer);
  };
}

export function startedRun(run: RunDoc): Answer {
  return { status: 202, headers: { Location: `/v1/ingestions/${run._id}` }, body: runView(run) };
}

/** Whether the run or dry run of this id is there, and reads this upload. */
async function isReadBy(deps: StartDeps, tenantId: string, id: string, objectId: string): Promise<boolean> {
  const [run, report] = await Promise.all([
    deps.runs.get(tenantId, id).catch(nothingThere),
    deps.dryRuns.report(tenantId, id).catch(nothingThere),
  ]);
  return [run?.source, report?.dryRun.source].some((source) => source?.['object'] === objectId);
}

function parsed(body: unknown): StartRun {
  const result = startRunSchema.safeParse(body);
  if (!result.success) throw invalidInput(result.error, 'body');
  return result.data;
}

/** @throws InvalidInput when the source names an upload that is not there */
async function requireObject(
  { objects }: UploadDeps,
  { tenantId }: Principal,
  source: SourceOptions | undefined,
): Promise<void> {
  if (source === undefined || !('object' in source) || source.object === undefined) return;
  if ((await inTime('MongoDB', objects.stat(tenantId, source.object))) !== undefined) return;
  const detail = 'names no upload of yours';
  throw new InvalidInput(`/source/object in the body ${detail}`, [{ field: '/source/object', detail }]);
}
