import { describe, expect, it } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import type { IngestSourceRequest } from '#domain/ingestion/run.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import type { Claim, NewRun, RunAttempt, RunDoc } from '#platform/mongo/runs.ts';
import { secretBox } from '#platform/secret-box.ts';
import { RunService, type RunServiceDeps } from './run-service.ts';

const box = secretBox(new Uint8Array(32));
const ada = { tenantId: 'acme', userId: 'ada', roles: ['operator'] } as const;
const source = (url = 'postgres://ada:pw@8.8.8.8/d') => ({ type: 'postgres', url }) as const;

function stopped(change: Partial<RunDoc> = {}): RunDoc {
  const attempt = { number: 1, workflow_id: 'w1', actor: 'ada', started_at: new Date(), read_before: 0 };
  return {
    _id: 'r1',
    tenant_id: 'acme',
    source_id: 'postgres:8.8.8.8:5432/d',
    source: { type: 'postgres' },
    sealed_source: box.seal(JSON.stringify(source()), 'r1'),
    workflow_id: 'w1',
    actor: 'ada',
    started_at: new Date(),
    updated_at: new Date(),
    state: 'failed',
    reason: 'it was away',
    activity: 'Ended',
    counts: { ...noCounts, read: 20, created: 20 },
    pages: 2,
    cursor: 'after 2',
    revision: 7,
    position: { pass: 1, passesLeft: 1, pagesOfPass: 2, fingerprint: 'f', gaps: [], gapsBeyond: 0, unapplied: [] },
    attempts: [attempt],
    ...change,
  };
}

function service(
  doc = stopped(),
  { claim, saved, workflow = 'running' }: { claim?: Claim; saved?: ReturnType<typeof source>; workflow?: string } = {},
) {
  const started: { request: IngestSourceRequest; workflowId: string }[] = [];
  const claimed: NewRun[] = [];
  const deps = {
    runs: {
      get: async () => doc,
      list: async () => [doc],
      abandon: async () => undefined,
      claim: async (run: NewRun) => {
        claimed.push(run);
        return claim ?? { outcome: 'claimed', run: { ...doc, ...run, state: 'running' } };
      },
      reopen: async (run: RunDoc, attempt: { workflow_id: string }) =>
        claim ?? {
          outcome: 'claimed',
          run: { ...run, state: 'running', revision: 8, workflow_id: attempt.workflow_id },
        },
    },
    control: {
      start: async (request: IngestSourceRequest, workflowId: string) => {
        started.push({ request, workflowId });
      },
      state: async () => workflow,
    },
    secretBox: box,
    allowPrivateSources: false,
    runsPerTenant: 3,
  } as unknown as RunServiceDeps;
  const optionsOf = async () => {
    if (saved === undefined) throw new LilyError('not-found', 'There is no such source.');
    return saved;
  };
  return { runs: new RunService(deps, { optionsOf }), started, claimed };
}

describe('retrying', () => {
  it('starts one more attempt where the run stopped, by a workflow of its own', async () => {
    const { runs, started } = service();
    await runs.retry(ada, 'r1');
    expect(started).toMatchObject([
      {
        workflowId: 'ingest:acme:postgres:8.8.8.8:5432/d:r1:2',
        request: {
          runId: 'r1',
          attempt: 2,
          resume: {
            revision: 8,
            progress: { state: 'running', pages: 2, cursor: 'after 2', counts: { read: 20 } },
            position: { pagesOfPass: 2, fingerprint: 'f', passesLeft: 2, retried: true },
          },
        },
      },
    ]);
    expect(started[0]?.request.resume?.progress.reason).toBeUndefined();
  });

  it.each(['waiting', 'running', 'paused', 'completed', 'skipped'] as const)(
    'is refused for one that is %s',
    async (state) => {
      const { runs, started } = service(stopped({ state }));
      await expect(runs.retry(ada, 'r1')).rejects.toMatchObject({ code: 'conflict' });
      expect(started).toEqual([]);
    },
  );

  it('is refused after twenty attempts, and for one that never began', async () => {
    const [attempt] = stopped().attempts ?? [];
    const many = Array.from({ length: 20 }, () => attempt).flatMap((one) => one ?? []);
    await expect(service(stopped({ attempts: many })).runs.retry(ada, 'r1')).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(service(stopped({ attempts: [] })).runs.retry(ada, 'r1')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('starts the attempt that a request opened and could not start, as that request would have', async () => {
    const first = { ...stopped().attempts?.[0], ended_at: new Date(), state: 'failed' } as RunAttempt;
    const next = { number: 2, workflow_id: 'w2', actor: 'bob', started_at: new Date(), read_before: 20 };
    const opened = stopped({ state: 'running', revision: 8, workflow_id: 'w2', active: true, attempts: [first, next] });
    delete opened.reason;
    const { runs, started } = service(opened, { workflow: 'absent' });
    await runs.retry(ada, 'r1');
    expect(started).toMatchObject([
      {
        workflowId: 'w2',
        request: {
          runId: 'r1',
          actor: 'bob',
          attempt: 2,
          resume: { revision: 8, progress: { state: 'running', cursor: 'after 2' }, position: { retried: true } },
        },
      },
    ]);
    const { runs: underway, started: again } = service(opened);
    await expect(underway.retry(ada, 'r1')).rejects.toMatchObject({ code: 'conflict' });
    expect(again).toEqual([]);
  });

  it('leaves the first attempt to whoever claimed the source for it', async () => {
    const { runs, started } = service(stopped({ state: 'running' }), { workflow: 'absent' });
    await expect(runs.retry(ada, 'r1')).rejects.toMatchObject({ code: 'conflict' });
    expect(started).toEqual([]);
  });

  it('checks the address anew', async () => {
    const inside = box.seal(JSON.stringify(source('postgres://ada:pw@10.0.0.1/d')), 'r1');
    const { runs, started } = service(stopped({ sealed_source: inside }));
    await expect(runs.retry(ada, 'r1')).rejects.toMatchObject({ code: 'source-refused' });
    expect(started).toEqual([]);
  });
});

describe('a tenant with as many active runs as it may have', () => {
  it.each(['start', 'retry'] as const)('hears 429 on %s', async (what) => {
    const { runs, started } = service(stopped(), { claim: { outcome: 'full' } });
    const asked = what === 'start' ? runs.start(ada, source(), 'r2') : runs.retry(ada, 'r1');
    await expect(asked).rejects.toMatchObject({ code: 'rate-limited', message: /^3 runs are active/ as never });
    expect(started).toEqual([]);
  });
});

describe('running again', () => {
  it('takes the saved source as it is today', async () => {
    const today = source('postgres://ada:new@8.8.4.4/d');
    const { runs, claimed } = service(stopped({ saved_source_id: 's1' }), { saved: today });
    await runs.rerun(ada, 'r1', 'r2');
    expect(claimed).toMatchObject([{ source_id: 'postgres:8.8.4.4:5432/d', saved_source_id: 's1', rerun_of: 'r1' }]);
    expect(box.open(claimed[0]?.sealed_source ?? '', 'r2')).toContain('new');
  });

  it('takes the options of the old run when there is no saved one any more', async () => {
    const { runs, claimed } = service(stopped({ saved_source_id: 's1' }));
    await runs.rerun(ada, 'r1', 'r2');
    expect(claimed).toMatchObject([{ source_id: 'postgres:8.8.8.8:5432/d', rerun_of: 'r1' }]);
    expect(claimed[0]?.saved_source_id).toBeUndefined();
  });
});
