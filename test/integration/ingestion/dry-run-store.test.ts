import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DryRunFinding } from '#domain/ingestion/dry-run.ts';
import { limits } from '#domain/limits.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { dryRuns, ensureDryRunIndexes, type DryRuns, type NewDryRun } from '#platform/mongo/dry-runs.ts';

let mongo: Mongo;
let store: DryRuns;
beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  await ensureDryRunIndexes(mongo.db);
  store = dryRuns(mongo.db);
});
afterAll(() => mongo.client.close());

function dryRun(tenant_id: string): NewDryRun {
  const source = { type: 'postgres' };
  return { _id: randomUUID(), tenant_id, source_id: 's', source, sealed_source: '', workflow_id: 'w', actor: 'ada' };
}

describe('dry runs that come at once', () => {
  it('never are more than their tenant may have, and never fewer', async () => {
    const tenant = randomUUID();
    const made = await Promise.all(Array.from({ length: 12 }, () => store.create(dryRun(tenant), 3)));
    const underway = made.flatMap((one) => one ?? []);
    expect(underway).toHaveLength(3);
    expect(underway.map(({ seat }) => seat).toSorted()).toEqual([1, 2, 3]);
    expect(await store.create(dryRun(randomUUID()), 3)).toBeDefined();

    // Who is there is found again though there is no room; one that ends makes room.
    const [first] = underway;
    if (first === undefined) throw new Error('there is no dry run');
    expect((await store.create(first, 3))?._id).toBe(first._id);
    await store.end(tenant, first._id, { state: 'completed' });
    expect(await store.create(dryRun(tenant), 3)).toBeDefined();
    expect(await store.create(dryRun(tenant), 3)).toBeUndefined();
  });
});

describe('the findings of a dry run', () => {
  const created = (place: string): DryRunFinding => ({ outcome: 'created', place });
  const rejected = (place: string): DryRunFinding => ({ outcome: 'rejected', place });

  it('are the sum of all pages and the first of each outcome, in the order of their places', async () => {
    const [tenant, id, other] = [randomUUID(), randomUUID(), randomUUID()];
    const many = Array.from({ length: limits.dryRunFindings }, (_, row) => created(`2:${row}`));
    await store.putPage(tenant, id, 2, { counts: { ...noCounts, read: 900, created: 900 }, findings: many }, []);
    const first = [created('1:0'), rejected('1:1'), created('1:2')];
    await store.putPage(
      tenant,
      id,
      1,
      { counts: { ...noCounts, read: 3, created: 2, rejected: 1 }, findings: first },
      [],
    );
    await store.putPage(
      tenant,
      id,
      3,
      { counts: { ...noCounts, read: 1, rejected: 1 }, findings: [rejected('3:0')] },
      [],
    );
    await store.putPage(tenant, other, 1, { counts: { ...noCounts, read: 5 }, findings: [] }, []);
    const { counts, findings } = await store.findings(tenant, id);
    expect(counts).toEqual({ ...noCounts, read: 904, created: 902, rejected: 2 });
    const shown = [...first, ...many.slice(0, limits.dryRunFindings - 2), rejected('3:0')];
    expect(findings).toEqual(shown);
    expect(await store.findings(randomUUID(), id)).toEqual({ counts: noCounts, findings: [] });
  });
});
