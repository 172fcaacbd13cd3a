import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ingestRecordSchema } from '#domain/assets/record.ts';
import { incidentReportSchema, type IncidentReport } from '#domain/incidents/incident.ts';
import { dbtArtifacts, dbtSourceSchema, type DbtArtifact, type DbtSource } from '#domain/ingestion/sources/dbt.ts';
import { memoryObjects } from '#test/support/memory-objects.ts';
import type { SourcePage, SourceRecord } from '../../source.ts';
import { DbtArtifacts } from './dbt-source.ts';

const fixtures = join(import.meta.dirname, '../../../../test/fixtures/dbt-artifacts');
const releases = ['dbt-1.6', 'dbt-1.7', 'dbt-1.11'] as const;

type Files = Partial<Record<DbtArtifact, string>>;

function filesOf(release: string): Files {
  return Object.fromEntries(
    dbtArtifacts.map((kind) => [kind, readFileSync(join(fixtures, release, `${kind}.json`), 'utf8')]),
  );
}

/** JSON that a test changes somewhere deep inside. */
// oxlint-disable-next-line no-explicit-any
type Loose = any;

/** An artifact after a change to its parsed content. */
function changed(text: string | undefined, change: (document: Loose) => void): string {
  const document = JSON.parse(text ?? '');
  change(document);
  return JSON.stringify(document);
}

async function open(files: Files, options: Partial<DbtSource> = {}): Promise<DbtArtifacts> {
  const { objects } = memoryObjects();
  const ids: Partial<Record<string, string>> = {};
  for (const [kind, text] of Object.entries(files)) {
    const about = { name: `${kind}.json`, contentType: 'application/json', maxBytes: 100_000_000 };
    ids[kind] = (await objects.put('acme', Readable.from([Buffer.from(text)]), about)).objectId;
  }
  const source = dbtSourceSchema.parse({ type: 'dbt', name: 'shop', ...ids, ...options });
  return new DbtArtifacts(source, {
    tenantId: 'acme',
    runId: 'run',
    objects,
    allowPrivate: false,
    ownKafkaCluster: () => Promise.resolve(''),
  });
}

async function pagesOf(source: DbtArtifacts, pageSize = 2_000): Promise<SourcePage[]> {
  const pages: SourcePage[] = [];
  let cursor: string | undefined;
  do {
    const page = await source.readPage(cursor, pageSize);
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

async function read(files: Files, options?: Partial<DbtSource>): Promise<Map<string, SourceRecord>> {
  const records = (await pagesOf(await open(files, options))).flatMap((page) => page.records);
  const byName = new Map(records.map((record) => [`${record.entity_type} ${record.qualified_name}`, record]));
  expect(byName.size).toBe(records.length);
  return byName;
}

async function reports(files: Files): Promise<IncidentReport[]> {
  const all: IncidentReport[] = [];
  for await (const report of (await open(files)).findings()) all.push(report);
  return all;
}

const names = (refs: { qualified_name?: string }[] | undefined) => refs?.map((ref) => ref.qualified_name);

describe.each(releases)('artifacts of %s', (release) => {
  const files = filesOf(release);

  test('become records that the pipeline takes', async () => {
    for (const record of (await read(files, { warehouse: 'pg' })).values()) {
      expect(ingestRecordSchema.safeParse({ op: 'upsert', ...record }).error).toBeUndefined();
    }
  });

  test('have the entities of the project, and no hooks', async () => {
    const counts: Record<string, number> = {};
    for (const { entity_type: type } of (await read(files)).values()) counts[type] = (counts[type] ?? 0) + 1;
    expect(counts).toEqual({
      dbt_project: 1, dbt_group: 1, owner: 2, dbt_model: 7, dbt_seed: 2, dbt_snapshot: 1, dbt_source: 1, dbt_test: 6,
      dbt_exposure: 1, dbt_metric: 1, dbt_semantic_model: 1, column: expect.any(Number),
      ...(release === 'dbt-1.11' && { dbt_unit_test: 1 }),
    }); // prettier-ignore
  });

  test('say what is made from what', async () => {
    const all = await read(files);
    const upstream = (name: string) => names(all.get(name)?.upstream as { qualified_name: string }[]);
    expect(upstream('dbt_model shop.model.shop.orders')).toEqual([
      'shop.model.shop.paid',
      'shop.model.shop.stg_orders',
    ]);
    expect(upstream('dbt_model shop.model.shop.stg_payments')).toEqual(['shop.source.shop.raw.payments']);
    expect(upstream('dbt_snapshot shop.snapshot.shop.customers_snapshot')).toEqual(['shop.seed.shop.raw_customers']);
    expect(upstream('dbt_metric shop.metric.shop.revenue')).toEqual(['shop.semantic_model.shop.orders']);
    expect(upstream('dbt_exposure shop.exposure.shop.weekly_report')).toEqual([
      'shop.model.shop.customers',
      'shop.model.shop.orders',
    ]);
    expect(upstream('dbt_source shop.source.shop.raw.payments')).toBeUndefined();
  });

  test('report the test that failed and the source that is stale', async () => {
    const all = await reports(files);
    for (const report of all) expect(incidentReportSchema.safeParse(report).error).toBeUndefined();
    expect(all.filter(({ status }) => status === 'open')).toMatchObject([
      {
        source: 'dbt',
        key: 'shop.test.shop.known_status.ad9bebe266',
        title: 'dbt test known_status failed: Got 1 result, configured to fail if != 0',
        kind: 'failing-test',
        severity: 'high',
        entities: [{ entity_type: 'dbt_model', qualified_name: 'shop.model.shop.stg_orders' }],
        details: { failures: 1 },
      },
      {
        key: 'shop.source.shop.raw.payments',
        title: 'Source raw.payments is stale',
        kind: 'freshness',
        entities: [{ entity_type: 'dbt_source', qualified_name: 'shop.source.shop.raw.payments' }],
        details: { max_loaded_at: '2020-01-02T00:00:00+00:00' },
      },
    ]);
    const well = all.filter(({ status }) => status === 'resolved').map(({ key }) => key);
    expect(well).toContain('shop.test.shop.unique_stg_orders_order_id.e3b841c71a');
    expect(well).toContain('shop.model.shop.stg_orders');
    expect(await reports(files)).toEqual(all);
  });

  test('give the same records whatever the size of the pages', async () => {
    const whole = (await pagesOf(await open(files), 5_000)).flatMap((page) => page.records);
    const pages = await pagesOf(await open(files), 3);
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.flatMap((page) => page.records)).toEqual(whole);
    const last = pages.at(-1)?.progress;
    expect(last?.done).toBe(last?.total);
  });
});

describe('a model', () => {
  const files = filesOf('dbt-1.11');

  test('has what dbt says of it, and what was found in the warehouse', async () => {
    const all = await read(files);
    expect(all.get('dbt_model shop.model.shop.orders')).toMatchObject({
      parent: { entity_type: 'dbt_project', qualified_name: 'shop' },
      attributes: {
        name: 'orders', description: 'Every order with what was paid for it', tags: ['core'], owner: '@ada',
        meta: { owner: '@ada', pii: false }, materialized: 'table', database: 'shop', schema: 'main_marts',
        identifier: 'orders', group: 'finance', path: 'models/marts/orders.sql', language: 'sql',
        code: expect.stringContaining("ref('stg_orders')"),
      },
      relationships: [{ relationship_type: 'IN_GROUP', target: { entity_type: 'dbt_group', qualified_name: 'shop.group.shop.finance' } }],
      statistics: { last_run: { status: 'skipped' } },
    }); // prettier-ignore
    expect(all.get('dbt_seed shop.seed.shop.raw_orders')?.statistics).toMatchObject({
      last_run: { status: 'success', rows_affected: 2, execution_seconds: expect.any(Number) },
    });
    const documented = all.get('column shop.model.shop.stg_orders.order_id');
    expect(documented?.attributes).toEqual({
      name: 'order_id',
      description: 'Number of the order',
      data_type: 'INTEGER',
      ordinal: 1,
    });
    expect(documented?.parent).toEqual({ entity_type: 'dbt_model', qualified_name: 'shop.model.shop.stg_orders' });
    expect(all.get('column shop.model.shop.stg_orders.ordered_at')?.attributes).toMatchObject({ data_type: 'DATE' });
    // It was not built, so only the documentation knows of its columns.
    expect(all.has('column shop.model.shop.orders.amount')).toBe(false);
    expect(all.get('column shop.model.shop.orders.order_id')?.attributes).toMatchObject({ meta: { key: true } });
  });

  test('points at its table, and a source has its table upstream, when the warehouse is named', async () => {
    const all = await read(files, { warehouse: 'pg-main' });
    const relation = (name: string) =>
      all.get(name)?.relationships?.find(({ relationship_type: type }) => type !== 'IN_GROUP');
    expect(relation('dbt_model shop.model.shop.orders')).toEqual({
      relationship_type: 'MATERIALIZES',
      target: { entity_type: 'table', qualified_name: 'pg-main.main_marts.orders' },
    });
    expect(relation('dbt_model shop.model.shop.stg_orders')?.target).toEqual({
      entity_type: 'view',
      qualified_name: 'pg-main.main.stg_orders',
    });
    expect(relation('dbt_model shop.model.shop.paid')).toBeUndefined();
    const payments = { entity_type: 'table', qualified_name: 'pg-main.raw.payments' };
    expect(all.get('dbt_source shop.source.shop.raw.payments')).toMatchObject({
      upstream: [payments],
      relationships: [{ relationship_type: 'SAME_AS', target: payments }],
    });
  });

  test('and its tests, with what they test, their arguments and owners', async () => {
    const all = await read(files);
    const relationships = all.get(
      'dbt_test shop.test.shop.relationships_orders_customer_id__customer_id__ref_stg_customers_.918495ce16',
    );
    expect(relationships).toMatchObject({
      attributes: {
        test: 'relationships',
        test_arguments: { field: 'customer_id' },
        severity: 'error',
        column_name: 'customer_id',
      },
    });
    expect(relationships?.upstream).toBeUndefined();
    expect(relationships?.relationships?.slice(0, 2)).toEqual([
      { relationship_type: 'TESTS', target: { entity_type: 'dbt_model', qualified_name: 'shop.model.shop.orders' } },
      {
        relationship_type: 'TESTS',
        target: { entity_type: 'column', qualified_name: 'shop.model.shop.orders.customer_id' },
      },
    ]);
    const singular = all.get('dbt_test shop.test.shop.paid_orders_exist');
    expect(names(singular?.relationships?.map(({ target }) => target as { qualified_name: string }))).toEqual([
      'shop.model.shop.paid',
      'shop.model.shop.stg_orders',
    ]);
    expect(all.get('dbt_exposure shop.exposure.shop.weekly_report')).toMatchObject({
      attributes: { owner: 'Grace', type: 'dashboard', maturity: 'high' },
      relationships: [{ relationship_type: 'OWNED_BY', target: { qualified_name: 'shop.owner."grace@shop.example"' } }],
    });
    expect(all.get('owner shop.owner."finance@shop.example"')?.attributes).toEqual({
      name: 'Finance team',
      email: 'finance@shop.example',
    });
  });

  test('keeps the names of its columns when the warehouse writes them in capitals', async () => {
    const catalog = changed(files.catalog, ({ nodes }) => {
      const columns = nodes['model.shop.stg_orders'].columns;
      columns.ORDER_ID = { ...columns.order_id, name: 'ORDER_ID' };
      delete columns.order_id;
    });
    const all = await read({ ...files, catalog });
    expect(all.get('column shop.model.shop.stg_orders.order_id')?.attributes).toMatchObject({ data_type: 'INTEGER' });
    expect(all.has('column shop.model.shop.stg_orders.ORDER_ID')).toBe(false);
  });
});

describe('what is covered', () => {
  const files = filesOf('dbt-1.11');

  const covers = async (from: Files, entity_type: string, qualified_name: string) =>
    (await open(from)).covers({ entity_type, qualified_name });

  test('is everything of the project that is no column', async () => {
    expect(await covers(files, 'dbt_model', 'shop.model.shop.gone')).toBe(true);
    expect(await covers(files, 'dbt_model', 'shop2.model.shop.gone')).toBe(false);
  });

  test('is a column where the catalogue has its node, or the manifest has it no longer', async () => {
    const [ofStaging, ofPayments] = ['shop.model.shop.stg_orders.gone', 'shop.model.shop.stg_payments."go.ne"'];
    const selected = changed(files.catalog, (document) => {
      document.nodes = { 'model.shop.stg_orders': document.nodes['model.shop.stg_orders'] };
      document.sources = {};
    });
    const empty = changed(files.catalog, (document) => Object.assign(document, { nodes: {}, sources: {} }));
    for (const [catalog, staging, payments] of [
      [files.catalog, true, true],
      [selected, true, false],
      [empty, false, false],
      [undefined, false, false],
    ] as const) {
      const from = { manifest: files.manifest ?? '', ...(catalog !== undefined && { catalog }) };
      expect(await covers(from, 'column', ofStaging)).toBe(staging);
      expect(await covers(from, 'column', ofPayments)).toBe(payments);
      expect(await covers(from, 'column', 'shop.model.shop.gone.id')).toBe(true);
      expect(await covers(from, 'column', 'shop2.model.shop.gone.id')).toBe(false);
    }
  });

  test('changes its fingerprint with the contents and at no other time', async () => {
    const before = await (await open(files)).fingerprint();
    expect(await (await open(files)).fingerprint()).toBe(before);
    expect(await (await open({ ...files, catalog: changed(files.catalog, (c) => (c.x = 1)) })).fingerprint()).not.toBe(
      before,
    );
    expect(await (await open({ manifest: files.manifest ?? '' })).fingerprint()).not.toBe(before);
  });
});

describe('artifacts that are not right are refused before anything is read from them', () => {
  const files = filesOf('dbt-1.11');
  const nodes = (change: (nodes: Loose) => void) => changed(files.manifest, (m) => change(m.nodes));
  const withVersion = (text: string | undefined, version: string): string =>
    changed(text, ({ metadata }) => {
      metadata.dbt_schema_version = `https://schemas.getdbt.com/dbt/${version}.json`;
    });

  const cases: [string, Files, string][] = [
    ['no JSON', { manifest: '<html>' }, 'manifest.json is not JSON: it does not begin with {.'],
    ['nothing', { manifest: '' }, 'manifest.json is empty.'],
    ['a cut one', { manifest: files.manifest?.slice(0, 40_000) ?? '' }, 'manifest.json ends in the middle, after 40000 bytes.'],
    ['another version', { manifest: withVersion(files.manifest, 'manifest/v9') }, 'manifest.json has version 9, and versions 10 to 12 can be read.'],
    ['a later version', { manifest: withVersion(files.manifest, 'manifest/v13') }, 'manifest.json has version 13, and versions 10 to 12 can be read.'],
    ['another kind', { manifest: files.catalog ?? '' }, 'manifest.json is something else: https://schemas.getdbt.com/dbt/catalog/v1.json.'],
    ['no metadata', { manifest: '{"nodes":{}}' }, 'manifest.json does not say what it is: it has no "metadata".'],
    ['no nodes', { manifest: changed(files.manifest, (m) => delete m.nodes) }, 'manifest.json has no "nodes".'],
    ['a node of another form', { manifest: nodes((all) => (all['model.shop.orders'].columns = 'none')) },
      'manifest.json has nodes "model.shop.orders", which dbt would not write: columns'],
    ['a node that is no JSON', { manifest: files.manifest?.replace('"model.shop.orders": {', '"model.shop.orders": {oops ') ?? '' },
      'manifest.json has nodes "model.shop.orders", which is not JSON.'],
    ['a node of two names', { manifest: nodes((all) => (all['model.shop.x'] = all['model.shop.orders'])) },
      'manifest.json calls one node both model.shop.x and model.shop.orders.'],
    ['the same node twice', { manifest: files.manifest?.replace('"nodes": {', '"nodes": {"model.shop.orders": {"unique_id":"model.shop.orders","name":"x"},') ?? '' },
      'manifest.json has model.shop.orders twice.'],
    ['a circle', { manifest: nodes((all) => all['model.shop.stg_orders'].depends_on.nodes.push('model.shop.customers')) },
      'manifest.json has nodes that depend on themselves: '],
    ['one node too large', { manifest: nodes((all) => (all['model.shop.orders'].raw_code = 'x'.repeat(5_000_000))) },
      'manifest.json has "model.shop.orders" of more than 4194304 bytes, which is the most that is read.'],
    ['a catalogue of another project', { ...files, catalog: files.catalog?.replaceAll('.shop.', '.store.') ?? '' },
      'catalog.json was made for another project: the manifest has none of its nodes.'],
    ['results of another version', { ...files, run_results: withVersion(files.run_results, 'run-results/v3') },
      'run_results.json has version 3, and versions 4 to 6 can be read.'],
    ['cut results', { ...files, sources: files.sources?.slice(0, -3) ?? '' }, 'sources.json ends in the middle'],
  ]; // prettier-ignore

  test.each(cases)('%s', async (_, artifacts, fault) => {
    await expect((await open(artifacts)).readPage(undefined, 2_000)).rejects.toMatchObject({
      code: 'invalid-input',
      name: 'LilyError',
      message: expect.stringContaining(fault),
    });
  });

  test('one that is not kept', async () => {
    const source = await open(files, { catalog: 'f'.repeat(24) });
    await expect(source.check()).rejects.toMatchObject({ code: 'not-found', field: '/source/catalog' });
  });

  test('versions are told before anything large is read', async () => {
    await expect((await open({ manifest: withVersion(files.manifest, 'manifest/v9') })).check()).rejects.toThrow(
      'has version 9',
    );
  });
});

describe('what is missing in artifacts makes a run incomplete', () => {
  const files = filesOf('dbt-1.11');

  test('a node that others depend on', async () => {
    const manifest = changed(files.manifest, ({ nodes }) => delete nodes['model.shop.paid']);
    expect((await pagesOf(await open({ ...files, manifest })))[0]?.incomplete).toEqual([
      'model.shop.orders depends on model.shop.paid, which the manifest does not hold',
      'test.shop.paid_orders_exist depends on model.shop.paid, which the manifest does not hold',
    ]);
  });

  test('a part of the catalogue that dbt could not read', async () => {
    const catalog = changed(files.catalog, (one) => (one.errors = ['permission denied for schema hr']));
    expect((await pagesOf(await open({ ...files, catalog })))[0]?.incomplete).toEqual([
      'dbt could not read a part of the catalogue: permission denied for schema hr',
    ]);
  });

  test('a record that is larger than a record may be', async () => {
    const manifest = changed(files.manifest, ({ nodes }) => {
      nodes['model.shop.orders'].meta = { long: 'x'.repeat(600_000) };
    });
    const pages = await pagesOf(await open({ ...files, manifest }));
    expect(pages.flatMap((page) => page.incomplete ?? [])).toEqual([
      'shop.model.shop.orders has more than 524288 bytes',
    ]);
    expect(pages.flatMap((page) => page.rejects ?? [])).toHaveLength(1);
  });
});
