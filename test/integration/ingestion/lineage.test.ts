import fc from 'fast-check';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quotePart } from '#activities/ingestion/sources/shared/names.ts';
import { queryLineage } from '#activities/ingestion/sources/postgres/query-lineage.ts';
import { loadWarehouse } from '#deploy/local/warehouse/load.ts';
import {
  byName,
  crawl,
  installedVersions,
  startServer,
  upstreamOf,
  type TestDatabase,
  type TestServer,
} from './postgres-servers.ts';
import { randomQuery } from './random-query.ts';

const tables = `
  CREATE TABLE t (a int, b int, c text);
  CREATE TABLE u (a int, d int, e text);
  CREATE TABLE n (id int, parent int, label text);
  CREATE TABLE doc (id int, body jsonb, x xml, list int[])`;

/** Views, and for each of their columns the columns that it is computed from. */
const shapes: Record<string, [sql: string, columns: Record<string, string[]>]> = {
  renamed: ['SELECT a AS z, b FROM t', { z: ['t.a'], b: ['t.b'] }],
  constants: [`SELECT 1 AS one, now() AS moment, 'x: y' || 'z' AS text FROM t`, { one: [], moment: [], text: [] }],
  expression: ['SELECT coalesce(a, b) + length(c) AS x FROM t', { x: ['t.a', 't.b', 't.c'] }],
  conditions: ['SELECT CASE WHEN a > 0 THEN b ELSE length(c) END AS x FROM t', { x: ['t.a', 't.b', 't.c'] }],
  filters_choose_rows: ['SELECT a FROM t WHERE b > 0 AND EXISTS (SELECT 1 FROM u WHERE u.d = t.b)', { a: ['t.a'] }],
  joined: ['SELECT t.b, u.d FROM t JOIN u ON t.a = u.a', { b: ['t.b'], d: ['u.d'] }],
  join_using: ['SELECT a, b, d FROM t JOIN u USING (a)', { a: ['t.a'], b: ['t.b'], d: ['u.d'] }],
  full_join_using: ['SELECT a FROM t FULL JOIN u USING (a)', { a: ['t.a', 'u.a'] }],
  join_alias: ['SELECT j.a, j.d FROM (t JOIN u USING (a)) AS j', { a: ['t.a'], d: ['u.d'] }],
  natural_star: ['SELECT * FROM t NATURAL JOIN u', { a: ['t.a'], b: ['t.b'], c: ['t.c'], d: ['u.d'], e: ['u.e'] }],
  self_join: [
    'SELECT x.label AS child, y.label AS parent FROM n x LEFT JOIN n y ON y.id = x.parent',
    { child: ['n.label'], parent: ['n.label'] },
  ],
  grouped: [
    `SELECT c, count(*) AS rows, sum(a) FILTER (WHERE b > 0) AS total, string_agg(c, ',' ORDER BY a) AS texts FROM t GROUP BY c HAVING max(b) > 1`,
    { c: ['t.c'], rows: [], total: ['t.a', 't.b'], texts: ['t.a', 't.c'] },
  ],
  group_expression: [
    'SELECT a + b AS key, max(c) AS c FROM t GROUP BY a + b ORDER BY 1',
    { key: ['t.a', 't.b'], c: ['t.c'] },
  ],
  grouping_sets: [
    'SELECT a, c, grouping(a, c) AS level, sum(b) AS b FROM t GROUP BY ROLLUP (a, c)',
    { a: ['t.a'], c: ['t.c'], level: ['t.a', 't.c'], b: ['t.b'] },
  ],
  windowed: [
    'SELECT row_number() OVER (PARTITION BY c ORDER BY b) AS place, sum(a) OVER w AS total FROM t WINDOW w AS (ORDER BY b DESC)',
    { place: ['t.b', 't.c'], total: ['t.a', 't.b'] },
  ],
  distinct_on: ['SELECT DISTINCT ON (a) a, c FROM t ORDER BY a, b', { a: ['t.a'], c: ['t.c'] }],
  subquery: ['SELECT q.s * 2 AS s2 FROM (SELECT a + b AS s, c FROM t) q', { s2: ['t.a', 't.b'] }],
  nested: [
    'SELECT z FROM (SELECT y AS z FROM (SELECT x AS y FROM (SELECT a + b AS x FROM t) p) q) r',
    { z: ['t.a', 't.b'] },
  ],
  scalar_subquery: ['SELECT a, (SELECT max(d) FROM u WHERE u.a = t.a) AS m FROM t', { a: ['t.a'], m: ['u.d'] }],
  outer_in_subquery: ['SELECT (SELECT t.b + u.d FROM u LIMIT 1) AS x FROM t', { x: ['t.b', 'u.d'] }],
  any_subquery: [
    'SELECT a IN (SELECT d FROM u) AS known, ARRAY(SELECT e FROM u) AS list FROM t',
    { known: ['t.a', 'u.d'], list: ['u.e'] },
  ],
  exists_as_value: [
    'SELECT EXISTS (SELECT * FROM u WHERE u.a = t.a AND u.d > 0) AS there, c FROM t',
    { there: ['t.a', 'u.a', 'u.d'], c: ['t.c'] },
  ],
  union_all: ['SELECT a, c FROM t UNION ALL SELECT d, e FROM u', { a: ['t.a', 'u.d'], c: ['t.c', 'u.e'] }],
  union_nested: [
    '(SELECT a FROM t UNION SELECT b FROM t) UNION ALL (SELECT d FROM u ORDER BY a LIMIT 3)',
    { a: ['t.a', 't.b', 'u.d'] },
  ],
  except: ['SELECT a FROM t EXCEPT SELECT d FROM u', { a: ['t.a'] }],
  intersect: ['SELECT a FROM t INTERSECT SELECT d FROM u', { a: ['t.a', 'u.d'] }],
  cte: [
    'WITH q AS (SELECT a + b AS s FROM t), r (k) AS (SELECT s FROM q) SELECT k, k + 1 AS l FROM r',
    { k: ['t.a', 't.b'], l: ['t.a', 't.b'] },
  ],
  cte_inside: [
    'SELECT (WITH q AS (SELECT u.d + t.b AS x FROM u) SELECT max(x) FROM q) AS m FROM t',
    { m: ['t.b', 'u.d'] },
  ],
  cte_shadowed: [
    'WITH q AS (SELECT a AS x FROM t) SELECT x, (WITH q AS (SELECT d AS x FROM u) SELECT max(x) FROM q) AS y FROM q',
    { x: ['t.a'], y: ['u.d'] },
  ],
  recursive: [
    `WITH RECURSIVE tree (id, path, depth) AS (
       SELECT id, label, 0 FROM n WHERE parent IS NULL UNION ALL SELECT n.id, tree.path || n.label, depth + 1 FROM n JOIN tree ON n.parent = tree.id)
     SELECT * FROM tree`,
    { id: ['n.id'], path: ['n.label'], depth: [] },
  ],
  recursive_swap: [
    'WITH RECURSIVE r (x, y) AS (SELECT a, b FROM t UNION SELECT y, x FROM r) SELECT x, y FROM r',
    { x: ['t.a', 't.b'], y: ['t.a', 't.b'] },
  ],
  lateral: [
    'SELECT t.a, l.s FROM t CROSS JOIN LATERAL (SELECT t.b + u.d AS s FROM u WHERE u.a = t.a) l',
    { a: ['t.a'], s: ['t.b', 'u.d'] },
  ],
  lateral_function: ['SELECT d.id, g FROM doc d, generate_series(1, d.id) AS g', { id: ['doc.id'], g: ['doc.id'] }],
  unnested: ['SELECT i, place FROM doc, unnest(list) WITH ORDINALITY AS x (i, place)', { i: ['doc.list'], place: [] }],
  rows_from: [
    'SELECT p, q FROM doc, ROWS FROM (unnest(list), jsonb_array_elements(body)) AS x (p, q)',
    { p: ['doc.list'], q: ['doc.body'] },
  ],
  record_function: [
    'SELECT r.k, r.v FROM doc, jsonb_to_record(body) AS r (k int, v text)',
    { k: ['doc.body'], v: ['doc.body'] },
  ],
  set_returning: ['SELECT id, unnest(list) AS i FROM doc', { id: ['doc.id'], i: ['doc.list'] }],
  values_list: [
    'SELECT v.x, v.y FROM t, LATERAL (VALUES (t.a, 1), (t.b, 2)) AS v (x, y)',
    { x: ['t.a', 't.b'], y: [] },
  ],
  values_only: ['VALUES (1, 2)', { column1: [], column2: [] }],
  xml_table: [
    `SELECT id, x.* FROM doc, XMLTABLE('/r' PASSING doc.x COLUMNS k int PATH 'k' DEFAULT doc.id, o FOR ORDINALITY) x`,
    { id: ['doc.id'], k: ['doc.id', 'doc.x'], o: ['doc.x'] },
  ],
  whole_row: ['SELECT to_jsonb(t) AS j FROM t', { j: ['t.a', 't.b', 't.c'] }],
  whole_row_field: ['SELECT (q.r).b AS x FROM (SELECT t AS r FROM t) q', { x: ['t.b'] }],
  whole_row_field_of_union: [
    'SELECT (q.r).b AS x, (q.r).c FROM (SELECT t AS r FROM t UNION ALL SELECT t FROM t) q',
    { x: ['t.b'], c: ['t.c'] },
  ],
  field_of_row: ['SELECT (t).b AS x FROM t', { x: ['t.b'] }],
  row_of_subquery: ['SELECT to_jsonb(q) AS j FROM (SELECT a, b + 1 AS b1 FROM t) q', { j: ['t.a', 't.b'] }],
  system_column: ['SELECT tableoid::regclass AS which, ctid, a FROM t', { which: [], ctid: [], a: ['t.a'] }],
  json_and_arrays: [
    `SELECT body -> 'k' ->> 'l' AS l, list[id] AS i, ARRAY[id, 2] AS made FROM doc`,
    { l: ['doc.body'], i: ['doc.id', 'doc.list'], made: ['doc.id'] },
  ],
  tablesample: ['SELECT a FROM t TABLESAMPLE system (10)', { a: ['t.a'] }],
  on_view: ['SELECT x + s2 AS y FROM expression, subquery', { y: ['expression.x', 'subquery.s2'] }],
  odd_words: [
    `SELECT a AS "<>", b AS ":x", c AS "{(a)}", a + 1 AS "1", b + 1 AS "\\", c || '"' AS """" FROM t AS ":t"`,
    {
      '<>': ['t.a'],
      ':x': ['t.b'],
      '{(a)}': ['t.c'],
      '1': ['t.a'],
      '\\': ['t.b'],
      '"': ['t.c'],
    },
  ],
};

/** Shapes of SQL that came with a version. */
const newerShapes: { from: number; name: string; sql: string; columns: Record<string, string[]> }[] = [
  {
    from: 140_000,
    name: 'search_and_cycle',
    sql: `WITH RECURSIVE g (id, parent) AS (SELECT id, parent FROM n UNION ALL SELECT n.id, n.parent FROM n JOIN g ON n.parent = g.id)
      SEARCH BREADTH FIRST BY id SET found CYCLE parent SET is_cycle USING trail
      SELECT id, parent, found::text AS found, is_cycle, trail::text AS trail FROM g`,
    columns: { id: ['n.id'], parent: ['n.parent'], found: ['n.id'], is_cycle: ['n.parent'], trail: ['n.parent'] },
  },
  {
    from: 170_000,
    name: 'json_table',
    sql: `SELECT jt.* FROM doc, JSON_TABLE(body, '$[*]' COLUMNS (k int PATH '$.k', o FOR ORDINALITY, NESTED PATH '$.l[*]' COLUMNS (m text PATH '$'))) jt`,
    columns: { k: ['doc.body'], o: ['doc.body'], m: ['doc.body'] },
  },
];

describe.each(installedVersions())('lineage in $title', ({ binaries }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(binaries);
  });
  afterAll(async () => server.stop());

  test('each shape of a view gives exactly the columns that it is computed from', async () => {
    const database = await server.database();
    await database.client.query(tables);
    const version = await versionOf(database.client);
    const expected = new Map(Object.entries(shapes));
    for (const { from, name, sql, columns } of newerShapes) if (version >= from) expected.set(name, [sql, columns]);
    for (const [name, [sql]] of expected) await database.client.query(`CREATE VIEW "${name}" AS ${sql}`);
    const found = byName(await crawl(database.url));
    const prefix = `${database.name}.public.`;
    for (const [name, [, columns]] of expected) {
      expect(found.get(`view ${prefix}${name}`)?.attributes?.['column_lineage'], name).toBe('column');
      const got = Object.keys(columns).map((column) => [
        column,
        upstreamOf(found.get(`column ${prefix}${name}.${quotePart(column)}`)).map((one) => one.slice(prefix.length)),
      ]);
      expect(Object.fromEntries(got), name).toEqual(columns);
    }
    expect(upstreamOf(found.get(`view ${prefix}filters_choose_rows`))).toEqual([`${prefix}t`, `${prefix}u`]);
    await expectWithinDependencies(database);
  });

  test('random queries give the lineage that they were built with', async () => {
    const database = await server.database();
    await database.client.query(tables);
    const samples = fc.sample(randomQuery, { numRuns: 400, seed: 20_260_101 });
    for (const [number, { sql, columns }] of samples.entries()) {
      await database.client.query(`CREATE VIEW r${number} AS ${sql}`);
      const [row] = (
        await database.client.query<{ action: string; view: number }>(
          `SELECT ev_action::text AS action, ev_class AS view FROM pg_rewrite WHERE ev_class = 'r${number}'::regclass`,
        )
      ).rows;
      const names = await columnNames(database.client);
      const lineage = queryLineage(row!.action, row!.view);
      const got = [...lineage.columns.values()].map((sources) =>
        sources.map(({ relid, attnum }) => names.get(`${relid}.${attnum}`) ?? '').toSorted(),
      );
      expect(got, sql).toEqual(columns.map((sources) => [...sources].sort()));
    }
    await expectWithinDependencies(database);
  });

  test("the warehouse and the server's own views are followed without exception, and never beyond what the server says", async () => {
    const own = await server.database();
    await loadWarehouse(own.port, {
      database: `${own.name}_warehouse`,
      user: 'lily',
      password: 'pass:word/with@signs',
    });
    const url = own.url.replace(/[^/]+$/, `${own.name}_warehouse`);
    const records = await crawl(url, { include_system: true });
    const views = records.filter((record) => record.attributes?.['column_lineage'] !== undefined);
    expect(views.length).toBeGreaterThan(150);
    expect(views.filter((view) => view.attributes?.['column_lineage'] !== 'column')).toEqual([]);
    const name = `${own.name}_warehouse`;
    const found = byName(records);
    expect(upstreamOf(found.get(`view ${name}.pg_catalog.pg_tables`))).toEqual(
      ['pg_class', 'pg_namespace', 'pg_tablespace'].map((table) => `${name}.pg_catalog.${table}`),
    );
    expect(upstreamOf(found.get(`column ${name}.pg_catalog.pg_tables.tablename`))).toEqual([
      `${name}.pg_catalog.pg_class.relname`,
    ]);
    expect(depthOf(found, `column ${name}.reporting.board_summary.revenue_eur`)).toBeGreaterThanOrEqual(6);
    await expectWithinDependencies(own);
  });
});

async function versionOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  return rows[0]?.version ?? 0;
}

async function columnNames(client: Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ key: string; name: string }>(
    `SELECT attrelid || '.' || attnum AS key, c.relname || '.' || attname AS name FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
     WHERE c.relnamespace = 'public'::regnamespace`,
  );
  return new Map(rows.map(({ key, name }) => [key, name]));
}

/** The longest way from a column up to one that has nothing upstream. */
function depthOf(found: ReturnType<typeof byName>, key: string): number {
  const next = upstreamOf(found.get(key)).map((name) => depthOf(found, `column ${name}`));
  return next.length === 0 ? 0 : 1 + Math.max(...next);
}

/** Whatever the parser names must be in `pg_depend`, for every view there is. It leaves out only what can never be dropped. */
async function expectWithinDependencies({ client }: TestDatabase): Promise<void> {
  const { rows } = await client.query<{ view: number; title: string; action: string; depends_on: string[] }>(
    `SELECT r.ev_class AS view, r.ev_class::regclass::text AS title, r.ev_action::text AS action,
       ARRAY(SELECT d.refobjid || '.' || d.refobjsubid FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid) AS depends_on
     FROM pg_rewrite r WHERE r.rulename = '_RETURN'`,
  );
  expect(rows.length).toBeGreaterThan(100);
  const firstUnpinned = 12_000;
  for (const { view, title, action, depends_on } of rows) {
    const known = new Set(depends_on);
    const { relations, columns } = queryLineage(action, view);
    const named = [...columns.values()].flat().filter(({ relid }) => relid >= firstUnpinned);
    for (const { relid, attnum } of named) {
      expect(relations, title).toContain(relid);
      // A whole row depends on the relation; the server does not say on which columns.
      const within =
        attnum === 0 ? depends_on.some((one) => one.startsWith(`${relid}.`)) : known.has(`${relid}.${attnum}`);
      expect(within, `${title} from ${relid}.${attnum}`).toBe(true);
    }
  }
}
