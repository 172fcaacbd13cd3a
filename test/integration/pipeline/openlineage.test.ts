import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transformationActivities, type TransformationDeps } from '#activities/transformation/index.ts';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import { emptyRun, withEvent } from '#domain/openlineage/run.ts';
import type { RunEvent } from '#domain/openlineage/event.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId } from '#platform/digest.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import { entities } from '#platform/mongo/entities.ts';
import { lineageNodes } from '#platform/mongo/lineage-nodes.ts';
import { lineageRuns } from '#platform/mongo/lineage-runs.ts';
import { openLineageState } from '#platform/mongo/openlineage-state.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import { batchOf, freshTenant } from '#test/support/pipeline.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

const space = 'db';

function event(change: Record<string, unknown> = {}, fields = ['a', 'b']): Record<string, unknown> {
  return {
    eventType: 'COMPLETE',
    eventTime: '2026-01-31T08:30:00.000Z',
    run: { runId: randomUUID() },
    job: { namespace: space, name: 'job' },
    inputs: [{ namespace: space, name: 'in' }],
    outputs: [
      {
        namespace: space,
        name: 'out',
        facets: { schema: { fields: fields.map((name) => ({ name })) }, mine: { said: 1 } },
      },
    ],
    ...change,
  };
}

/** A worker: its steps, over the genuine stores, and what it reports. `change` replaces parts of what it works with. */
function worker(change: (deps: TransformationDeps) => Partial<TransformationDeps> = () => ({})) {
  const reports: IncidentReport[] = [];
  const deps: TransformationDeps = {
    rawRecords: rawRecords(mongo.db),
    entities: entities(mongo.db),
    deadLetters: deadLetters(mongo.db),
    rules: async () => undefined,
    graph: { link: async () => ({ rootIds: [] }) },
    producer: { send: async () => undefined },
    openLineage: openLineageState(mongo.db),
    lineageRuns: lineageRuns(mongo.db),
    lineageNodes: lineageNodes(mongo.db),
    incidents: { report: async (_tenantId, report) => reports.push(report) },
  };
  return { steps: transformationActivities({ ...deps, ...change(deps) }), reports };
}

type Steps = ReturnType<typeof worker>['steps'];

async function land(tenantId: string, name: string, events: Record<string, unknown>[]) {
  const ref = batchOf(tenantId, name);
  await rawRecords(mongo.db).land(
    ref,
    events.map((body, seq) => ({
      recordId: `${ref.batchId}:${seq}`,
      seq,
      entityId: 'job',
      receivedAt: new Date(),
      door: 'openlineage',
      format: 'openlineage',
      actor: 'ada',
      body: JSON.stringify(body),
    })),
  );
  return ref;
}

async function apply(steps: Steps, tenantId: string, name: string, events: Record<string, unknown>[]) {
  const ref = await land(tenantId, name, events);
  await steps.transformRecords(ref);
  const counts = await steps.storeEntities(ref);
  await steps.closeBatch(ref, counts);
  return counts;
}

const versionsIn = (tenantId: string) => mongo.db.collection('entity_versions').countDocuments({ tenant_id: tenantId });
const stateOf = async (tenantId: string, type: string, name: string) => {
  const id = metadataId(tenantId, type, `${space}|${name}`);
  return (await openLineageState(mongo.db).load(tenantId, [id])).get(id);
};

describe('a batch of OpenLineage events', () => {
  it('makes one record of each entity, however many events speak of it, and none of what is known', async () => {
    const tenantId = freshTenant();
    const { steps } = worker();
    const first = await apply(
      steps,
      tenantId,
      '1',
      Array.from({ length: 20 }, () => event()),
    );
    // Two datasets, two columns, one job.
    expect(first).toMatchObject({ read: 20, created: 5, updated: 0, unchanged: 19, rejected: 0 });
    const again = await apply(worker().steps, tenantId, '2', [event(), event()]);
    expect(again).toMatchObject({ read: 2, created: 0, updated: 0, unchanged: 2 });
  });

  it.each(['settle', 'noteRuns', 'put', 'putCurrent'])('comes out the same after a crash at %s', async (where) => {
    const tenantId = freshTenant();
    await apply(worker().steps, tenantId, '1', [event()]);
    const before = await versionsIn(tenantId);
    const crash = async (): Promise<never> => {
      throw new Error('crash');
    };
    const broken = worker((deps) => ({
      ...(where === 'settle' && { openLineage: { ...deps.openLineage, settle: crash } }),
      ...(where === 'noteRuns' && { lineageNodes: { ...deps.lineageNodes, noteRuns: crash } }),
      ...(where === 'put' && { lineageNodes: { ...deps.lineageNodes, put: crash } }),
      ...(where === 'putCurrent' && { entities: { ...deps.entities, putCurrent: crash } }),
    }));
    const ref = await land(tenantId, '2', [event({}, ['b', 'c'])]);
    await broken.steps.transformRecords(ref);
    await expect(broken.steps.storeEntities(ref)).rejects.toThrow('crash');
    // What is said to be known is what holds, or nothing: never what was about to be.
    expect((await stateOf(tenantId, 'dataset', 'out'))?.claim).toBe(ref.batchId);

    const other = worker();
    const counts = await other.steps.storeEntities(ref);
    // The column a is gone, c is new, b has another place, and the dataset other fields.
    expect(counts).toMatchObject({ read: 1, created: 1, updated: 2, deleted: 1, unchanged: 0 });
    expect(await versionsIn(tenantId)).toBe(before + 4);
    expect(await stateOf(tenantId, 'dataset', 'out')).toMatchObject({ columns: ['b', 'c'] });
    expect((await stateOf(tenantId, 'dataset', 'out'))?.claim).toBeUndefined();
    const again = await apply(worker().steps, tenantId, '3', [event({}, ['b', 'c'])]);
    expect(again).toMatchObject({ created: 0, updated: 0, deleted: 0 });
  });

  it('is not certain of what two batches made at once, so the next event settles it', async () => {
    const tenantId = freshTenant();
    await apply(worker().steps, tenantId, '0', [event()]);
    const [one, other] = [worker(), worker()];
    const first = await land(tenantId, '1', [event({}, ['a', 'x'])]);
    const second = await land(tenantId, '2', [event({}, ['a', 'y'])]);
    await one.steps.transformRecords(first);
    await other.steps.transformRecords(second);
    await one.steps.storeEntities(first);
    await other.steps.storeEntities(second);
    const uncertain = await stateOf(tenantId, 'dataset', 'out');
    expect(uncertain?.facets).toBeUndefined();
    expect(uncertain?.columns?.toSorted()).toEqual(['a', 'b', 'x', 'y']);

    await apply(worker().steps, tenantId, '3', [event({}, ['a', 'y'])]);
    const columns = await mongo.db
      .collection('entities')
      .find({ tenant_id: tenantId, entity_type: 'column', deleted: false })
      .toArray();
    expect(columns.map((column) => String(column['qualified_name'])).sort()).toEqual([
      `${space}|out|a`,
      `${space}|out|y`,
    ]);
    expect((await stateOf(tenantId, 'dataset', 'out'))?.facets).toHaveLength(2);
  });

  it('adds to a job while its run is under way, and takes a run that is complete for the whole', async () => {
    const tenantId = freshTenant();
    const { steps } = worker();
    const job = async () => {
      const found = await entities(mongo.db).get(tenantId, metadataId(tenantId, 'job', `${space}|job`));
      const names = (refs: { metadata_id: string }[] | undefined) =>
        ['a', 'b', 'c', 'x', 'y'].filter((name) =>
          refs?.some((ref) => ref.metadata_id === metadataId(tenantId, 'dataset', `${space}|${name}`)),
        );
      return [names(found?.upstream), names(found?.downstream)];
    };
    const said = (eventType: string, second: number, runId: string, inputs: string[], outputs: string[]) => ({
      ...event({ eventType, run: { runId } }),
      eventTime: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
      inputs: inputs.map((name) => ({ namespace: space, name })),
      outputs: outputs.map((name) => ({ namespace: space, name })),
    });
    const [one, two] = [randomUUID(), randomUUID()];
    await apply(steps, tenantId, '1', [said('START', 1, one, ['a', 'b'], []), said('COMPLETE', 2, one, [], ['x'])]);
    expect(await job()).toEqual([['a', 'b'], ['x']]);
    await apply(steps, tenantId, '2', [said('START', 3, two, ['c'], [])]);
    expect(await job()).toEqual([['a', 'b', 'c'], ['x']]);
    await apply(steps, tenantId, '3', [said('COMPLETE', 4, two, [], ['y'])]);
    expect(await job()).toEqual([['c'], ['y']]);
    // What comes late of an earlier run changes nothing, and neither does a run that names no dataset.
    await apply(steps, tenantId, '4', [
      said('COMPLETE', 2, one, ['a'], ['x']),
      said('COMPLETE', 9, randomUUID(), [], []),
    ]);
    expect(await job()).toEqual([['c'], ['y']]);
  });

  it('reports assertions once when they begin to fail, and when they hold again', async () => {
    const tenantId = freshTenant();
    const { steps, reports } = worker();
    const result = (success: boolean, assertion = 'not_null') =>
      event({
        inputs: [
          {
            namespace: space,
            name: 'in',
            inputFacets: { dataQualityAssertions: { assertions: [{ assertion, success, column: 'id' }] } },
          },
        ],
      });
    // Each of two events of one batch tells of another assertion: neither is missed.
    await apply(steps, tenantId, '1', [result(false), result(true, 'unique')]);
    await apply(steps, tenantId, '2', [result(false)]);
    expect(reports.map(({ title, status }) => [title, status])).toEqual([['not_null(id) fails on in', 'open']]);
    await apply(steps, tenantId, '3', [result(true)]);
    expect(reports.map(({ status }) => status)).toEqual(['open', 'resolved']);
    expect(reports[0]?.key).toBe(reports[1]?.key);
  });

  it('goes on with the others when one entity is larger than can be stored', async () => {
    const tenantId = freshTenant();
    // Wide characters: in bytes far more than the text has characters.
    const facets = (from: number) =>
      Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`f${from + index}`, { wide: '表'.repeat(60_000) }]));
    const wide = (from: number) => event({ outputs: [{ namespace: space, name: 'wide', facets: facets(from) }] });
    const long = Array.from({ length: 8_000 }, (_, index) => ({ name: `${index}${'名'.repeat(50)}` }));
    const nested = [{ name: '名'.repeat(900), fields: long }];
    const odd = {
      columnLineage: {
        fields: {
          a: { inputFields: [{ namespace: space, name: 'in', field: 'a', transformations: [{ 'a\u0000b': 1 }] }] },
        },
        dataset: [{ namespace: space, 'x\u0000': 1 }],
      },
    };
    const { steps } = worker();
    await apply(steps, tenantId, '1', [wide(0), wide(20)]);
    await apply(steps, tenantId, '2', [wide(40), wide(60), wide(80)]);
    await apply(steps, tenantId, '3', [
      event({ outputs: [{ namespace: space, name: 'nested', facets: { schema: { fields: nested } } }] }),
      event({ outputs: [{ namespace: space, name: 'odd', facets: odd }] }),
      event(),
    ]);
    const found = await entities(mongo.db).get(tenantId, metadataId(tenantId, 'dataset', `${space}|wide`));
    const kept = found?.attributes['facets'] as Record<string, Record<string, unknown>>;
    expect(kept['f99']?.['_omitted']).toMatch('has 180011 bytes');
    const odds = await entities(mongo.db).get(tenantId, metadataId(tenantId, 'dataset', `${space}|odd`));
    expect(odds?.attributes['indirect_lineage']).toMatchObject([{ _omitted: expect.stringContaining('NUL') }]);
    expect((await stateOf(tenantId, 'dataset', 'nested'))?.columns?.length).toBeLessThan(1_000);
  });

  it('states again what a rule has refused, once the rule lets it pass', async () => {
    const tenantId = freshTenant();
    const rules = [{ name: 'no dataset', kind: 'drop' as const, entity_types: ['dataset', 'column'] }];
    const drop = ruleCompiler(Buffer.alloc(32, 1))(tenantId, 1, { rules, tests: [] });
    const refusing = worker(() => ({ rules: async () => drop }));
    const counts = await apply(refusing.steps, tenantId, '1', [event()]);
    expect(counts).toMatchObject({ read: 1, created: 1, unchanged: 0 });
    const again = await apply(worker().steps, tenantId, '2', [event()]);
    expect(again).toMatchObject({ created: 4 });
    const known = await apply(worker().steps, tenantId, '3', [event(), event()]);
    expect(known).toMatchObject({ created: 0, updated: 0, unchanged: 2 });
  });

  it('is not certain when another batch has settled between its look and its claim', async () => {
    const tenantId = freshTenant();
    const said = (value: number) =>
      event({ outputs: [{ namespace: space, name: 'out', facets: { mine: { said: value } } }] });
    await apply(worker().steps, tenantId, '0', [said(1)]);
    const late = worker((deps) => ({
      openLineage: {
        ...deps.openLineage,
        load: async (tenant: string, ids: string[]) => {
          const loaded = await deps.openLineage.load(tenant, ids);
          await apply(worker().steps, tenantId, '2', [said(2)]);
          return loaded;
        },
      },
    }));
    // It says what was known when it looked, and something new beside it.
    await apply(late.steps, tenantId, '1', [
      event({ outputs: [{ namespace: space, name: 'out', facets: { mine: { said: 1 }, other: { x: 1 } } }] }),
    ]);
    await apply(worker().steps, tenantId, '3', [said(1)]);
    const found = await entities(mongo.db).get(tenantId, metadataId(tenantId, 'dataset', `${space}|out`));
    expect(found?.attributes['facets']).toEqual({ mine: { said: 1 }, other: { x: 1 } });
  });

  it('remembers which assertions fail when batches contend for their dataset', async () => {
    const tenantId = freshTenant();
    const result = (assertion: string, success: boolean) =>
      event({
        inputs: [
          {
            namespace: space,
            name: 'in',
            inputFacets: { dataQualityAssertions: { assertions: [{ assertion, success }] } },
          },
        ],
      });
    const [one, other] = [worker(), worker()];
    const first = await land(tenantId, '1', [result('a', false)]);
    const second = await land(tenantId, '2', [result('b', false)]);
    await one.steps.transformRecords(first);
    await other.steps.transformRecords(second);
    await one.steps.storeEntities(first);
    await other.steps.storeEntities(second);
    expect((await stateOf(tenantId, 'dataset', 'in'))?.failing).toHaveLength(2);
    const { steps, reports } = worker();
    await apply(steps, tenantId, '3', [result('a', true), result('b', true)]);
    expect(reports.map(({ status }) => status)).toEqual(['resolved', 'resolved']);
    expect((await stateOf(tenantId, 'dataset', 'in'))?.failing).toEqual([]);
  });

  it('makes dead letters of what is no event, and takes the others', async () => {
    const tenantId = freshTenant();
    const long = 'n'.repeat(1_000);
    const counts = await apply(worker().steps, tenantId, '1', [
      event(),
      { eventTime: 'never' },
      event({ job: { namespace: '|'.repeat(500), name: long } }),
    ]);
    expect(counts).toMatchObject({ read: 3, created: 5, rejected: 2 });
  });
});

it('settles writers of one run on what all of them say', async () => {
  const tenantId = freshTenant();
  const runs = lineageRuns(mongo.db);
  const runId = randomUUID();
  const say = (name: string): Promise<unknown> => {
    const said = event({ run: { runId }, outputs: [{ namespace: space, name }] }) as unknown as RunEvent;
    return runs.update(tenantId, [runId], (_id, before) => ({
      jobId: 'job',
      facts: withEvent(before ?? emptyRun(said), said, {}),
    }));
  };
  const names = Array.from({ length: 12 }, (_, index) => `out${String(index).padStart(2, '0')}`);
  await Promise.all(names.map(say));
  const run = await runs.get(tenantId, runId);
  expect(run?.facts.outputs.map(({ name }) => name)).toEqual(names);
  expect(await runs.get(freshTenant(), runId)).toBeUndefined();
});

it('never shows an older version of a node in place of a newer', async () => {
  const tenantId = freshTenant();
  const nodes = lineageNodes(mongo.db);
  const node = (version: number) => ({
    _id: `${tenantId}-n`,
    tenant_id: tenantId,
    kind: 'dataset' as const,
    namespace: space,
    name: 'n',
    version,
    deleted: false,
    data: `{"version":${version}}`,
  });
  for (const version of [2, 1, 3, 2]) await nodes.put(tenantId, [node(version)]);
  expect((await nodes.byIds(tenantId, [`${tenantId}-n`]))[0]?.data).toBe('{"version":3}');
  expect(await nodes.byIds(freshTenant(), [`${tenantId}-n`])).toEqual([]);
});

it('follows the latest run of a job when its beginning becomes known last', async () => {
  const tenantId = freshTenant();
  const { steps } = worker();
  const runId = randomUUID();
  const at = (eventType: string, second: number) =>
    event({ eventType, run: { runId }, eventTime: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString() });
  await apply(steps, tenantId, '1', [at('RUNNING', 5)]);
  await apply(steps, tenantId, '2', [at('START', 1), at('COMPLETE', 9)]);
  const [job] = await lineageNodes(mongo.db).byIds(tenantId, [metadataId(tenantId, 'job', `${space}|job`)]);
  expect(job?.latest_run).toMatchObject({ state: 'COMPLETED', duration_ms: 8_000 });
});

it('reads no more of the graph than its budget holds, and nothing once nobody waits', async () => {
  const tenantId = freshTenant();
  const nodes = lineageNodes(mongo.db);
  const job = (name: string) => ({
    _id: `${tenantId}-${name}`,
    tenant_id: tenantId,
    kind: 'job' as const,
    namespace: space,
    name,
    version: 1,
    deleted: false,
    data: 'x'.repeat(100),
    inputs: [`${tenantId}-d`],
    outputs: [],
  });
  await nodes.put(tenantId, ['a', 'b', 'c'].map(job));
  const budgetOf = (change: object) => ({
    nodes: 10,
    chars: 10_000,
    exhausted: false,
    signal: new AbortController().signal,
    ...change,
  });
  const read = async (change: object) => {
    const budget = budgetOf(change);
    return [(await nodes.jobsOf(tenantId, [`${tenantId}-d`], new Map(), budget)).length, budget.exhausted];
  };
  expect(await read({})).toEqual([3, false]);
  expect(await read({ nodes: 2 })).toEqual([2, true]);
  expect(await read({ chars: 150 })).toEqual([1, true]);
  await expect(read({ signal: AbortSignal.abort() })).rejects.toThrow('abort');
});

it('leaves out as many runs of a job as it is asked to, and counts them all', async () => {
  const tenantId = freshTenant();
  const runs = lineageRuns(mongo.db);
  await apply(worker().steps, tenantId, '1', [event(), event(), event()]);
  const jobId = metadataId(tenantId, 'job', `${space}|job`);
  const all = await runs.list(tenantId, { jobId, limit: 10 });
  const rest = await runs.list(tenantId, { jobId, skip: 2, limit: 10 });
  expect(rest.map(({ run_id: id }) => id)).toEqual(all.slice(2).map(({ run_id: id }) => id));
  expect(await runs.count(tenantId, { jobId })).toBe(3);
});
