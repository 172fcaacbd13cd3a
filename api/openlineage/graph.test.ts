import { describe, expect, it } from 'vitest';
import { limits } from '#domain/limits.ts';
import type { LineageNodeDoc, NodeBudget } from '#platform/mongo/lineage-nodes.ts';
import { lineageGraph } from './graph.ts';

const ids = Array.from({ length: 2_000 }, (_, at) => `d${at}`);

function node(kind: 'job' | 'dataset', id: string): LineageNodeDoc {
  return {
    _id: id,
    tenant_id: 'acme',
    kind,
    namespace: 'n',
    name: `${id}${'x'.repeat(900)}`,
    version: 1,
    deleted: false,
    data: '{"name":"x"}',
    ...(kind === 'job' && { inputs: ids, outputs: ids }),
  };
}

/** A tenant with that many jobs, each of which reads and writes 2,000 datasets of long names. */
function tenantOf(jobs: number) {
  const seen: NodeBudget[] = [];
  return {
    seen,
    byIds: async (_tenantId: string, wanted: string[], budget?: NodeBudget) => {
      if (budget === undefined) return [node('dataset', 'd0')];
      seen.push(budget);
      return wanted.map((id) => node('dataset', id));
    },
    jobsOf: async (
      _tenantId: string,
      _ids: string[],
      known: ReadonlyMap<string, LineageNodeDoc>,
      budget: NodeBudget,
    ) => {
      seen.push(budget);
      return known.size > 0 ? [] : Array.from({ length: jobs }, (_, at) => node('job', `j${at}`));
    },
  };
}

describe('the lineage graph', () => {
  it('is cut when its text grows too long, and says so', async () => {
    const { json, truncated } = await lineageGraph(
      tenantOf(20),
      'acme',
      'dataset:n:d0',
      2,
      AbortSignal.timeout(60_000),
    );
    expect(truncated).toBe(true);
    expect(json.length).toBeLessThan(limits.lineageGraphBytes + 1_000_000);
    expect(() => JSON.parse(json) as unknown).not.toThrow();
  });

  it('is whole below that', async () => {
    const { json, truncated } = await lineageGraph(tenantOf(1), 'acme', 'dataset:n:d0', 2, AbortSignal.timeout(60_000));
    expect(truncated).toBe(false);
    expect((JSON.parse(json) as { graph: unknown[] }).graph).toHaveLength(2_001);
  });
});
