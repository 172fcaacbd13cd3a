import { describe, expect, it } from 'vitest';
import { limits } from '#domain/limits.ts';
import type { DryRunChange, DryRunDoc, NewDryRun } from '#platform/mongo/dry-runs.ts';
import { secretBox } from '#platform/secret-box.ts';
import { DryRunService, type DryRunServiceDeps } from './dry-run-service.ts';

const ada = { tenantId: 'acme', userId: 'ada', roles: ['operator'] } as const;
const source = { type: 'postgres', url: 'postgres://ada:pw@8.8.8.8/d' } as const;

/** The service of a tenant who has as many dry runs underway as may be, begun when `begun` says. */
function full(begun: Date, workflow: 'running' | 'absent') {
  const kept = Array.from({ length: limits.dryRunsPerTenant }, (_, index) => {
    return { _id: `d${index}`, tenant_id: 'acme', state: 'running', started_at: begun, workflow_id: `w${index}` };
  }) as DryRunDoc[];
  const started: string[] = [];
  const underway = () => kept.filter(({ state }) => state === 'running');
  const deps = {
    dryRuns: {
      create: async (wanted: NewDryRun, seats: number) => {
        if (underway().length >= seats) return undefined;
        return { ...wanted, state: 'running' } as DryRunDoc;
      },
      underway: async () => underway(),
      get: async (_tenant: string, id: string) => kept.find(({ _id }) => _id === id),
      end: async (_tenant: string, id: string, change: DryRunChange) => {
        for (const one of kept) if (one._id === id) one.state = change.state;
      },
    },
    control: {
      start: async (_request: unknown, workflowId: string) => {
        started.push(workflowId);
      },
      state: async () => workflow,
    },
    secretBox: secretBox(new Uint8Array(32)),
    allowPrivateSources: false,
  } as unknown as DryRunServiceDeps;
  return { made: new DryRunService(deps), started };
}

describe('a tenant with as many dry runs underway as may be', () => {
  it.each([
    ['they read', new Date(0), 'running'],
    ['they have just begun', new Date(), 'absent'],
  ] as const)('hears 429 while %s', async (_what, begun, workflow) => {
    const { made, started } = full(begun, workflow);
    await expect(made.start(ada, source, 'more')).rejects.toMatchObject({ code: 'rate-limited' });
    expect(started).toEqual([]);
  });

  it('has one more in the place of those that died without a word', async () => {
    const { made, started } = full(new Date(0), 'absent');
    await made.start(ada, source, 'more');
    expect(started).toHaveLength(1);
  });
});
