import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IngestRecord } from '#domain/assets/record.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId, newRecordId } from '#platform/digest.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { freshTenant } from '#test/support/pipeline.ts';
import { dawn, pipelineOn } from './in-process.ts';

let mongo: Mongo;
let pipeline: ReturnType<typeof pipelineOn>;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  pipeline = pipelineOn(mongo.db);
});
afterAll(() => mongo.client.close());

function table(name: string, description: string, change: Partial<IngestRecord> = {}): IngestRecord {
  return {
    op: 'upsert',
    entity_type: 'table',
    qualified_name: name,
    attributes: { name, description },
    ...change,
  } as IngestRecord;
}

/** Rules that fail on a record whose description is of this form. */
const failing = {
  kind: 'derive',
  path: 'x',
  expression: 'attributes.missing',
  when: 'attributes.description.startsWith("bad")',
};

async function entity(tenantId: string, name: string) {
  return pipeline.entities.get(tenantId, metadataId(tenantId, 'table', name));
}

async function letter(tenantId: string, recordId: string) {
  return pipeline.deadLetters.get(tenantId, recordId);
}

describe('a replay of dead letters', () => {
  it('applies what was mended, once, and keeps the original and the story', async () => {
    const tenantId = freshTenant();
    await pipeline.arrive(tenantId, ['{"op":"upsert"', table('b', 'fine')]);
    const id = `${tenantId}-${dawn}`;
    expect(await pipeline.replay(tenantId)).toEqual({ letters: 1, resolved: 0, rejected: 1, superseded: 0 });
    expect(await letter(tenantId, id)).toMatchObject({ state: 'open', reason: 'malformed-json' });
    await pipeline.deadLetters.mend(tenantId, id, JSON.stringify(table('a', 'mended')), 'ada');
    expect(await pipeline.replay(tenantId)).toEqual({ letters: 1, resolved: 1, rejected: 0, superseded: 0 });
    expect(await entity(tenantId, 'a')).toMatchObject({ version: 1, attributes: { description: 'mended' } });
    expect(await letter(tenantId, id)).toMatchObject({
      state: 'resolved',
      attempts: [
        { attempt: 1, outcome: 'rejected', reason: 'malformed-json', record_id: `${id}~1`, by: 'grace' },
        { attempt: 2, outcome: 'resolved', record_id: expect.stringMatching(/~2~[0-9a-f]{32}$/) as string },
      ],
    });
    expect((await pipeline.rawRecords.record(tenantId, id))?.body).toBe('{"op":"upsert"');
    expect(await pipeline.replay(tenantId)).toMatchObject({ letters: 0 });
    expect(await pipeline.versionCount(tenantId)).toBe(2);
    expect(await pipeline.deadLetters.list(tenantId, { limit: 10 })).toHaveLength(1);
  });

  it('never puts an old record over a newer one, unless it is forced', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, [table('a', 'bad old'), table('b', 'bad only')]);
    await pipeline.arrive(tenantId, [table('a', 'newer')], dawn + 1_000);
    await pipeline.activate(tenantId, []);
    expect(await pipeline.replay(tenantId)).toEqual({ letters: 2, resolved: 1, rejected: 0, superseded: 1 });
    expect((await entity(tenantId, 'a'))?.attributes.description).toBe('newer');
    // It takes its place where it would have stood.
    expect((await entity(tenantId, 'b'))?.updated_at).toEqual(new Date(dawn + 1));
    expect(await letter(tenantId, `${tenantId}-${dawn}`)).toMatchObject({ state: 'open', reason: 'superseded' });

    expect(await pipeline.replay(tenantId, { force: true })).toMatchObject({ letters: 1, resolved: 1 });
    expect(await entity(tenantId, 'a')).toMatchObject({ version: 2, attributes: { description: 'bad old' } });
  });

  it('is not put over a newer record that changed nothing', async () => {
    const tenantId = freshTenant();
    await pipeline.arrive(tenantId, [table('a', 'same')]);
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, [table('a', 'bad')], dawn + 1_000);
    await pipeline.arrive(tenantId, [table('a', 'same')], dawn + 2_000);
    await pipeline.activate(tenantId, []);
    expect(await pipeline.replay(tenantId)).toMatchObject({ superseded: 1 });
    expect((await entity(tenantId, 'a'))?.attributes.description).toBe('same');
  });

  it('applies several letters of one entity in the order in which they arrived', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, [
      table('a', 'bad 1'),
      table('b', 'bad 1'),
      table('a', 'bad 2'),
      table('a', 'bad 3'),
    ]);
    await pipeline.activate(tenantId, []);
    expect(await pipeline.replay(tenantId)).toMatchObject({ letters: 4, resolved: 4 });
    expect(await entity(tenantId, 'a')).toMatchObject({ version: 3, attributes: { description: 'bad 3' } });
  });

  it('leaves out what is changed by another door in the very moment', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, [table('a', 'bad old')]);
    await pipeline.activate(tenantId, []);
    const job = { tenantId, jobId: newRecordId() };
    const task = { filter: {}, force: false };
    await pipeline.jobs.create({
      _id: job.jobId,
      tenant_id: tenantId,
      kind: 'replay',
      replay: task,
      workflow_id: 'none',
      actor: 'grace',
    });
    await pipeline.replaySteps.claimLetters({ job, page: 1 });
    const { batchIds } = await pipeline.replaySteps.landWave({ job, page: 1, wave: 0 });
    await pipeline.arrive(tenantId, [table('a', 'newer')], dawn + 1_000);
    for (const batchId of batchIds) await pipeline.apply({ tenantId, batchId, source: 'replay' });
    expect(await pipeline.replaySteps.settleLetters({ job, page: 1 })).toMatchObject({ superseded: 1 });
    expect((await entity(tenantId, 'a'))?.attributes.description).toBe('newer');
  });

  it('comes to the same after a crash behind any step', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    const bodies = Array.from({ length: 30 }, (_, index) => table(`t${index % 12}`, `bad ${index}`));
    await pipeline.arrive(tenantId, bodies);
    await pipeline.activate(tenantId, []);
    const job = { tenantId, jobId: newRecordId() };
    const task = { filter: {}, force: false };
    await pipeline.jobs.create({
      _id: job.jobId,
      tenant_id: tenantId,
      kind: 'replay',
      replay: task,
      workflow_id: 'none',
      actor: 'grace',
    });
    const twice = async <T>(step: () => Promise<T>): Promise<T> => {
      await step();
      return step();
    };
    const { letters, waves } = await twice(() => pipeline.replaySteps.claimLetters({ job, page: 1 }));
    expect([letters, waves]).toEqual([30, 3]);
    for (let wave = 0; wave < waves; wave += 1) {
      const { batchIds } = await twice(() => pipeline.replaySteps.landWave({ job, page: 1, wave }));
      expect(batchIds).toHaveLength(1);
      for (const batchId of batchIds) await twice(() => pipeline.apply({ tenantId, batchId, source: 'replay' }));
    }
    const counts = await twice(() => pipeline.replaySteps.settleLetters({ job, page: 1 }));
    expect(counts).toEqual({ letters: 30, resolved: 30, rejected: 0, superseded: 0 });
    expect(await pipeline.versionCount(tenantId)).toBe(30);
    for (const last of [24, 29]) {
      expect((await entity(tenantId, `t${last % 12}`))?.attributes.description).toBe(`bad ${last}`);
    }
  });

  it.each(['landed', 'applied'])(
    'takes the body that was mended behind a replay that broke off when its record was %s',
    async (stage) => {
      const tenantId = freshTenant();
      await pipeline.activate(tenantId, [failing]);
      await pipeline.arrive(tenantId, [table('a', 'bad'), table('b', 'bad')]);
      await pipeline.activate(tenantId, []);
      const job = { tenantId, jobId: newRecordId() };
      await pipeline.jobs.create({
        _id: job.jobId,
        tenant_id: tenantId,
        kind: 'replay',
        replay: { filter: {}, force: false },
        workflow_id: 'none',
        actor: 'grace',
      });
      await pipeline.replaySteps.claimLetters({ job, page: 1 });
      const { batchIds } = await pipeline.replaySteps.landWave({ job, page: 1, wave: 0 });
      if (stage === 'applied') {
        for (const batchId of batchIds) await pipeline.apply({ tenantId, batchId, source: 'replay' });
      }
      await pipeline.replaySteps.releaseLetters(job);
      await pipeline.deadLetters.mend(tenantId, `${tenantId}-${dawn}`, JSON.stringify(table('a', 'mended')), 'ada');
      expect(await pipeline.replay(tenantId)).toMatchObject({ letters: 2, resolved: 2 });
      expect((await entity(tenantId, 'a'))?.attributes.description).toBe('mended');
      // What was not mended goes on with the record that had landed.
      expect((await entity(tenantId, 'b'))?.version).toBe(1);
      expect((await letter(tenantId, `${tenantId}-${dawn + 1}`))?.attempts).toMatchObject([
        { record_id: `${tenantId}-${dawn + 1}~1` },
      ]);
    },
  );

  it('applies by force what a replay without force has landed and not applied', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, [table('a', 'bad')]);
    await pipeline.activate(tenantId, []);
    const job = { tenantId, jobId: newRecordId() };
    await pipeline.jobs.create({
      _id: job.jobId,
      tenant_id: tenantId,
      kind: 'replay',
      replay: { filter: {}, force: false },
      workflow_id: 'none',
      actor: 'grace',
    });
    await pipeline.replaySteps.claimLetters({ job, page: 1 });
    await pipeline.replaySteps.landWave({ job, page: 1, wave: 0 });
    await pipeline.replaySteps.releaseLetters(job);
    await pipeline.arrive(tenantId, [table('a', 'newer')], dawn + 1_000);
    expect(await pipeline.replay(tenantId, { force: true })).toMatchObject({ resolved: 1 });
    expect((await entity(tenantId, 'a'))?.attributes.description).toBe('bad');
  });

  it('gives a letter to one of two replays that run at once', async () => {
    const tenantId = freshTenant();
    await pipeline.arrive(
      tenantId,
      Array.from({ length: 40 }, (_, index) => `broken ${index}`),
    );
    for (const item of await pipeline.deadLetters.list(tenantId, { limit: 100 })) {
      await pipeline.deadLetters.mend(tenantId, item._id, JSON.stringify(table(item._id, 'mended')), 'ada');
    }
    const [one, other] = await Promise.all([pipeline.replay(tenantId), pipeline.replay(tenantId)]);
    expect(one.letters + other.letters).toBe(40);
    expect(one.resolved + other.resolved).toBe(40);
    expect(await pipeline.versionCount(tenantId)).toBe(40);
  });

  it('ends for good at a filter that the store cannot take', async () => {
    const filter = { text: 'a\0b' };
    await expect(pipeline.replay(freshTenant(), { filter })).rejects.toMatchObject({ nonRetryable: true });
  });

  it('lets go of letters, and tells filters apart', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [failing]);
    await pipeline.arrive(tenantId, ['broken', table('a', 'bad'), '{"op":"upsert"}']);
    const counts = await pipeline.deadLetters.countByReason(tenantId, {});
    expect(Object.fromEntries(counts)).toEqual({ 'malformed-json': 1, 'rule-failed': 1, 'invalid-record': 1 });
    const found = async (filter: object) => (await pipeline.deadLetters.list(tenantId, { ...filter, limit: 9 })).length;
    expect([
      await found({ reason: 'rule-failed' }),
      await found({ rule: 'r0' }),
      await found({ text: 'NO SUCH KEY' }),
      await found({ text: '.*' }),
      await found({ door: 'run' }),
      await found({ source: 'test' }),
      await found({ to: '2000-01-01T00:00:00Z' }),
      await pipeline.deadLetters.list(freshTenant(), { limit: 9 }).then((items) => items.length),
    ]).toEqual([1, 1, 1, 0, 0, 3, 0, 0]);
    const job = { tenantId, jobId: newRecordId() };
    await pipeline.jobs.create({
      _id: job.jobId,
      tenant_id: tenantId,
      kind: 'replay',
      replay: { filter: {}, force: false },
      workflow_id: 'none',
      actor: 'grace',
    });
    await pipeline.replaySteps.claimLetters({ job, page: 1 });
    expect(await found({ state: 'replaying' })).toBe(3);
    await pipeline.replaySteps.releaseLetters(job);
    expect(await found({ state: 'open' })).toBe(3);
  });
});
