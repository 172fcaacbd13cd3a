import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IngestRecord } from '#domain/assets/record.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId } from '#platform/digest.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { freshTenant } from '#test/support/pipeline.ts';
import { dawn, pipelineOn, type Arrival } from './in-process.ts';

let mongo: Mongo;
let pipeline: ReturnType<typeof pipelineOn>;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  pipeline = pipelineOn(mongo.db);
});
afterAll(() => mongo.client.close());

const entityType = fc.constantFrom('table', 'person');
const entityName = fc.constantFrom('a', 'b', 'c');
const attributes = {
  mail: fc.constantFrom('ada@x.org', 'bob@x.org', 'eve@y.org'),
  description: fc.constantFrom('one', 'two', 'bad', 'call 555-1234'),
  tags: fc.subarray(['red', 'blue']),
};
const identity = { entity_type: entityType, qualified_name: entityName };
const upsert = fc
  .record({ ...identity, ...attributes, feeds: fc.boolean() })
  .map(({ entity_type, qualified_name, feeds, ...given }) => ({
    op: 'upsert' as const,
    entity_type,
    qualified_name,
    attributes: { name: qualified_name, ...given },
    ...(feeds && { upstream: [{ entity_type: 'table', qualified_name: 'raw' }] }),
  }));
const merge = fc
  .record({
    ...identity,
    given: fc.record({ ...attributes, owner: fc.constantFrom('ada', null) }, { requiredKeys: [] }),
  })
  .map(({ given, ...who }) => ({ op: 'merge' as const, ...who, attributes: given }));
const deletion = fc.record({ op: fc.constant('delete' as const), ...identity });
const arrival: fc.Arbitrary<Arrival> = fc.oneof(
  { weight: 6, arbitrary: upsert },
  { weight: 3, arbitrary: merge },
  { weight: 1, arbitrary: deletion },
  { weight: 1, arbitrary: fc.constant('broken {') },
);
const rule = fc.constantFrom<object>(
  { kind: 'mask', path: 'mail', method: 'redact' },
  { kind: 'mask', path: 'mail', method: 'partial' },
  { kind: 'mask', pattern: '\\d{3}-\\d{4}', method: 'redact' },
  { kind: 'rename', from: 'description', to: 'about' },
  { kind: 'default', path: 'tier', value: 'gold', entity_types: ['table'] },
  { kind: 'derive', path: 'label', expression: 'entity_type + "/" + qualified_name' },
  {
    kind: 'derive',
    path: 'x',
    expression: 'attributes.missing',
    when: 'has(attributes.description) && attributes.description == "bad"',
  },
  { kind: 'tag', tags: ['new'], on: 'mail', pattern: '@x' },
);
const someRules = fc.uniqueArray(rule, { maxLength: 3 });
const history = fc.array(fc.array(arrival, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 });

async function tell(tenantId: string, batches: readonly Arrival[][]): Promise<void> {
  for (const [index, bodies] of batches.entries()) await pipeline.arrive(tenantId, bodies, dawn + index * 100);
}

describe('reprocessing', () => {
  it('changes nothing under the same rules, and under others comes to what a fresh ingest comes to', async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(history, someRules, someRules, async (batches, before, after) => {
        const [tenantId, fresh] = [freshTenant(), freshTenant()];
        await pipeline.activate(tenantId, before);
        await tell(tenantId, batches);
        const versions = await pipeline.versionCount(tenantId);
        const same = await pipeline.reprocess(tenantId);
        expect(same.counts.changing).toBe(0);
        expect(await pipeline.versionCount(tenantId)).toBe(versions);

        await pipeline.activate(tenantId, after);
        const { counts, applied } = await pipeline.reprocess(tenantId);
        changed += counts.changing;
        expect(applied.reduce((sum, one) => sum + one.created + one.updated + one.deleted, 0)).toBe(counts.changing);
        await pipeline.activate(fresh, after);
        await tell(fresh, batches);
        const [own, expected] = [await pipeline.contents(tenantId), await pipeline.contents(fresh)];
        expect(own).toMatchObject(expected);
        // What no rule lets pass any more stays as it is, and is counted.
        const left = Object.keys(own).length - Object.keys(expected).length;
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(counts.dropped + counts.rejected);
        expect((await pipeline.reprocess(tenantId)).counts.changing).toBe(0);
      }),
      { numRuns: 40 },
    );
    expect(changed).toBeGreaterThan(20);
  }, 120_000);

  const person = (name: string, mail: string): IngestRecord => ({
    op: 'upsert',
    entity_type: 'person',
    qualified_name: name,
    attributes: { name, mail },
  });
  const masks = [{ kind: 'mask', path: 'mail', method: 'redact' }];
  const moment = (offset: number): string => new Date(dawn + offset).toISOString();

  it('never lets an old record replace what a newer one says, whatever the range', async () => {
    const tenantId = freshTenant();
    await pipeline.arrive(tenantId, [person('a', 'old@x'), person('b', 'b@x')]);
    await pipeline.arrive(tenantId, [person('a', 'new@x')], dawn + 1_000);
    await pipeline.activate(tenantId, masks);
    const range = { from: moment(0), to: moment(500), filter: {} };
    const { counts } = await pipeline.reprocess(tenantId, range);
    expect(counts).toMatchObject({ records: 2, entities: 1, changing: 1 });
    const mail = async (name: string): Promise<unknown> =>
      (await pipeline.entities.get(tenantId, metadataId(tenantId, 'person', name)))?.attributes['mail'];
    expect([await mail('a'), await mail('b')]).toEqual(['new@x', '[redacted]']);
    await pipeline.reprocess(tenantId, { from: moment(500), to: moment(2_000), filter: {} });
    expect(await mail('a')).toBe('[redacted]');
  });

  describe('of records that became dead letters', () => {
    const broken = (mail: string): IngestRecord => person('a', mail);
    const failing = [{ kind: 'derive', path: 'x', expression: 'attributes.missing', when: 'attributes.mail == "bad"' }];
    // Behind others of its batch, so that the replay of it alone has the smaller number.
    const others = [person('x', 'x@x'), person('y', 'y@x')];
    const id = (tenantId: string): string => `${tenantId}-${dawn + 1_002}`;
    const mail = async (tenantId: string): Promise<unknown> =>
      (await pipeline.entities.get(tenantId, metadataId(tenantId, 'person', 'a')))?.attributes['mail'];

    async function rejected(): Promise<string> {
      const tenantId = freshTenant();
      await pipeline.arrive(tenantId, [broken('old')]);
      await pipeline.activate(tenantId, failing);
      await pipeline.arrive(tenantId, [...others, broken('bad')], dawn + 1_000);
      return tenantId;
    }

    it('leaves what was mended and replayed', async () => {
      const tenantId = await rejected();
      // Refused once more on its way: that attempt says nothing either.
      expect(await pipeline.replay(tenantId)).toMatchObject({ rejected: 1 });
      await pipeline.deadLetters.mend(tenantId, id(tenantId), JSON.stringify(broken('mended')), 'ada');
      expect(await pipeline.replay(tenantId)).toMatchObject({ resolved: 1 });
      await pipeline.activate(tenantId, []);
      expect((await pipeline.reprocess(tenantId)).counts).toMatchObject({ changing: 0 });
      expect(await mail(tenantId)).toBe('mended');
    });

    it('leaves out what was discarded, with its attempts', async () => {
      const tenantId = await rejected();
      expect(await pipeline.replay(tenantId)).toMatchObject({ rejected: 1 });
      await pipeline.deadLetters.discard(tenantId, id(tenantId), 'not ours', 'ada');
      await pipeline.activate(tenantId, []);
      expect((await pipeline.reprocess(tenantId)).counts).toMatchObject({ changing: 0 });
      expect(await mail(tenantId)).toBe('old');
    });

    it('takes up what is still open and passes today', async () => {
      const tenantId = await rejected();
      await pipeline.activate(tenantId, []);
      expect((await pipeline.reprocess(tenantId)).counts).toMatchObject({ changing: 1 });
      expect(await mail(tenantId)).toBe('bad');
    });

    it('says nothing more of the entity that a letter was not meant for', async () => {
      const tenantId = await rejected();
      await pipeline.deadLetters.mend(tenantId, id(tenantId), JSON.stringify(person('b', 'mended')), 'ada');
      expect(await pipeline.replay(tenantId)).toMatchObject({ resolved: 1 });
      await pipeline.activate(tenantId, []);
      expect((await pipeline.reprocess(tenantId)).counts).toMatchObject({ changing: 0 });
      expect(await mail(tenantId)).toBe('old');
    });
  });

  it('says in a dry run what would change, with a sample, and changes nothing', async () => {
    const tenantId = freshTenant();
    const people = Array.from({ length: 20 }, (_, index) => person(`p${index}`, `p${index}@x`));
    await pipeline.arrive(tenantId, people);
    await pipeline.activate(tenantId, masks);
    const versions = await pipeline.versionCount(tenantId);
    const { counts, applied, jobId } = await pipeline.reprocess(tenantId, { dry_run: true });
    expect([counts.changing, applied, await pipeline.versionCount(tenantId)]).toEqual([20, [], versions]);
    const job = await pipeline.jobs.get(tenantId, 'reprocess', jobId);
    const [sample] = JSON.parse(job?.samples[0]?.items ?? '[]') as object[];
    expect(sample).toMatchObject({
      change: 'updated',
      differences: [{ path: '/attributes/mail', after: '[redacted]' }],
    });
  });

  it('takes only what the filter names', async () => {
    const tenantId = freshTenant();
    await pipeline.arrive(tenantId, [person('a', 'a@x'), { ...person('t', 't@x'), entity_type: 'table' }]);
    await pipeline.activate(tenantId, masks);
    const changing = async (filter: object): Promise<number> =>
      (await pipeline.reprocess(tenantId, { filter, dry_run: true })).counts.changing;
    expect([
      await changing({ entity_type: 'table' }),
      await changing({ door: 'run' }),
      await changing({ source: 'test' }),
      await changing({ source: 'other' }),
    ]).toEqual([1, 0, 2, 0]);
  });

  it('goes through many pages, each entity once', async () => {
    const tenantId = freshTenant();
    for (let round = 0; round < 4; round += 1) {
      const people = Array.from({ length: 400 }, (_, index) => person(`p${index}`, `p${index}@${round}`));
      await pipeline.arrive(tenantId, people, dawn + round * 1_000);
    }
    await pipeline.activate(tenantId, masks);
    const { counts, applied } = await pipeline.reprocess(tenantId);
    expect(counts).toMatchObject({ records: 1_600, entities: 400, changing: 400 });
    expect(applied.reduce((sum, one) => sum + one.updated, 0)).toBe(400);
    expect(await pipeline.versionCount(tenantId)).toBe(2_000);
  });
});
