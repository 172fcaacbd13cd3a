import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  byName,
  crawl,
  fingerprint,
  installedVersions,
  startServer,
  upstreamOf,
  type TestServer,
} from './postgres-servers.ts';
import { createWideDatabase } from './wide-database.ts';

describe.each(installedVersions())('crawling $title', ({ binaries }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(binaries);
  });
  afterAll(async () => server.stop());

  test('gives exactly what the catalogue says', async () => {
    const { client, url } = await server.database('exact');
    await client.query(`
      COMMENT ON DATABASE exact IS 'A database';
      DROP SCHEMA public;
      CREATE SCHEMA s; COMMENT ON SCHEMA s IS 'A schema';
      CREATE TABLE s.a (id int PRIMARY KEY, code varchar(10) NOT NULL UNIQUE, twice int GENERATED ALWAYS AS (id * 2) STORED);
      COMMENT ON TABLE s.a IS 'Table a'; COMMENT ON COLUMN s.a.code IS 'Its code';
      CREATE TABLE s.b (id int GENERATED ALWAYS AS IDENTITY, a_id int REFERENCES s.a, note text DEFAULT 'none', PRIMARY KEY (id, a_id));
      CREATE UNIQUE INDEX b_note ON s.b (note);
      CREATE UNIQUE INDEX b_partial ON s.b (a_id) WHERE note IS NULL;
      CREATE VIEW s.v AS SELECT b.id, a.code || b.note AS text FROM s.b JOIN s.a ON a.id = b.a_id;
      INSERT INTO s.a (id, code) SELECT n, n::text FROM generate_series(1, 100) n;
      ANALYZE s.a;`);
    const database = { entity_type: 'database', qualified_name: 'exact' };
    const schema = { entity_type: 'schema', qualified_name: 'exact.s' };
    const a = { entity_type: 'table', qualified_name: 'exact.s.a' };
    const b = { entity_type: 'table', qualified_name: 'exact.s.b' };
    const v = { entity_type: 'view', qualified_name: 'exact.s.v' };
    const column = (name: string) => ({ entity_type: 'column', qualified_name: `exact.s.${name}` });
    const records = await crawl(url);
    const version = expect.stringMatching(/^1\d/) as string;
    expect(records).toEqual([
      {
        ...database,
        attributes: {
          name: 'exact',
          description: 'A database',
          created_by: 'lily',
          engine: 'PostgreSQL',
          encoding: 'UTF8',
        },
        statistics: { server_version: version },
      },
      { ...schema, attributes: { name: 's', description: 'A schema', created_by: 'lily' }, parent: database },
      {
        ...a,
        attributes: {
          name: 'a',
          description: 'Table a',
          created_by: 'lily',
          kind: 'table',
          primary_key: ['id'],
          unique_keys: [{ name: 'a_code_key', columns: ['code'] }],
        },
        parent: schema,
        statistics: { row_estimate: 100, size_bytes: 8192 },
      },
      {
        ...column('a.id'),
        attributes: { name: 'id', data_type: 'integer', ordinal_position: 1, nullable: false, primary_key: true },
        parent: a,
      },
      {
        ...column('a.code'),
        attributes: {
          name: 'code',
          description: 'Its code',
          data_type: 'character varying(10)',
          ordinal_position: 2,
          nullable: false,
          unique: true,
        },
        parent: a,
      },
      {
        ...column('a.twice'),
        attributes: {
          name: 'twice',
          data_type: 'integer',
          ordinal_position: 3,
          nullable: true,
          generated_as: '(id * 2)',
          generated: 'stored',
        },
        parent: a,
      },
      {
        ...b,
        attributes: {
          name: 'b',
          created_by: 'lily',
          kind: 'table',
          primary_key: ['id', 'a_id'],
          unique_keys: [{ name: 'b_note', columns: ['note'] }],
          foreign_keys: [
            { name: 'b_a_id_fkey', columns: ['a_id'], references: 'exact.s.a', referenced_columns: ['id'] },
          ],
        },
        parent: schema,
        relationships: [{ relationship_type: 'REFERENCES', target: a }],
        statistics: { size_bytes: 0 },
      },
      {
        ...column('b.id'),
        attributes: {
          name: 'id',
          data_type: 'integer',
          ordinal_position: 1,
          nullable: false,
          identity: 'always',
          primary_key: true,
        },
        parent: b,
      },
      {
        ...column('b.a_id'),
        attributes: { name: 'a_id', data_type: 'integer', ordinal_position: 2, nullable: false, primary_key: true },
        parent: b,
        relationships: [{ relationship_type: 'REFERENCES', target: column('a.id') }],
      },
      {
        ...column('b.note'),
        attributes: {
          name: 'note',
          data_type: 'text',
          ordinal_position: 3,
          nullable: true,
          default: `'none'::text`,
          unique: true,
        },
        parent: b,
      },
      {
        ...v,
        attributes: {
          name: 'v',
          created_by: 'lily',
          definition: expect.stringContaining('JOIN s.a ON') as string,
          column_lineage: 'column',
        },
        parent: schema,
        upstream: [a, b],
      },
      {
        ...column('v.id'),
        attributes: { name: 'id', data_type: 'integer', ordinal_position: 1 },
        parent: v,
        upstream: [column('b.id')],
      },
      {
        ...column('v.text'),
        attributes: { name: 'text', data_type: 'text', ordinal_position: 2 },
        parent: v,
        upstream: [column('a.code'), column('b.note')],
      },
    ]);
  });

  test('says partitions, inheritance, foreign keys of several columns, and materialized views', async () => {
    const { client, url, name } = await server.database();
    await client.query(`
      CREATE TABLE p (at date NOT NULL, k int, l int, PRIMARY KEY (at, k)) PARTITION BY RANGE (at);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
      CREATE TABLE base (i int); CREATE TABLE child (j int) INHERITS (base);
      CREATE TABLE r (a date, b int, FOREIGN KEY (a, b) REFERENCES p (at, k));
      CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree);
      CREATE MATERIALIZED VIEW m AS SELECT i + 1 AS i1 FROM base;`);
    const found = byName(await crawl(url));
    const at = (type: string, local: string) => found.get(`${type} ${name}.public.${local}`);
    expect(at('table', 'p')?.attributes).toMatchObject({ kind: 'partitioned table', partitioned_by: 'RANGE (at)' });
    expect(at('table', 'p1')).toMatchObject({
      attributes: {
        partition_of: `${name}.public.p`,
        partition_bound: `FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
      },
      relationships: [{ relationship_type: 'PARTITION_OF', target: { qualified_name: `${name}.public.p` } }],
    });
    expect(at('table', 'child')?.relationships).toEqual([
      { relationship_type: 'INHERITS', target: { entity_type: 'table', qualified_name: `${name}.public.base` } },
    ]);
    // One key, though PostgreSQL keeps it once more for the partition.
    expect(at('table', 'r')?.attributes?.['foreign_keys']).toHaveLength(1);
    expect(at('column', 'r.b')?.relationships).toEqual([
      { relationship_type: 'REFERENCES', target: { entity_type: 'column', qualified_name: `${name}.public.p.k` } },
    ]);
    expect(at('table', 'tree')?.relationships).toEqual([
      { relationship_type: 'REFERENCES', target: { entity_type: 'table', qualified_name: `${name}.public.tree` } },
    ]);
    expect(upstreamOf(at('materialized_view', 'm'))).toEqual([`${name}.public.base`]);
    expect(upstreamOf(at('column', 'm.i1'))).toEqual([`${name}.public.base.i`]);
  });

  test('a second reading is the same to the letter; a renamed column changes what follows from it, and no more', async () => {
    const { client, url, name } = await server.database();
    await client.query(`
      CREATE TABLE t (id int PRIMARY KEY, old_name int UNIQUE, other int);
      CREATE TABLE u (ref int REFERENCES t (old_name));
      CREATE VIEW v1 AS SELECT id, old_name AS renamed, other FROM t;
      CREATE VIEW v2 AS SELECT renamed + 1 AS plus FROM v1;
      CREATE TABLE bystander (x int)`);
    const before = await crawl(url);
    await client.query('ANALYZE');
    await client.query('VACUUM');
    const again = await crawl(url);
    const content = (records: typeof before) => records.map(({ statistics: _statistics, ...rest }) => rest);
    expect(content(again)).toEqual(content(before));
    await client.query('ALTER TABLE t RENAME old_name TO new_name');
    const [old, now] = [byName(content(before)), byName(content(await crawl(url)))];
    const local = (key: string): string => key.replace(`${name}.public.`, '');
    expect([...old.keys()].filter((key) => !now.has(key)).map(local)).toEqual(['column t.old_name']);
    expect([...now.keys()].filter((key) => !old.has(key)).map(local)).toEqual(['column t.new_name']);
    const changed = [...now.keys()].filter(
      (key) => old.has(key) && JSON.stringify(old.get(key)) !== JSON.stringify(now.get(key)),
    );
    // The keys of t and u name the column, u.ref refers to it, v1 is defined by it, v1.renamed comes from it. v2 does not know it.
    expect(changed.map(local).sort()).toEqual(['column u.ref', 'column v1.renamed', 'table t', 'table u', 'view v1']);
    expect(upstreamOf(now.get(`column ${name}.public.v1.renamed`))).toEqual([`${name}.public.t.new_name`]);
  });

  test('hostile names are kept, and never meet', async () => {
    const { client, url, name } = await server.database('we"ird.db');
    const long = 'ü'.repeat(31) + 'x';
    const names = [
      'a.b',
      'a"b',
      `a'b; DROP TABLE x`,
      'naïve 名前 🙂',
      ' space ',
      'a\\b',
      '%_',
      ':colon',
      '<>',
      '{(})',
      'back\\slash 1 ',
      long,
    ];
    const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    await client.query(
      `CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE TABLE a."b.c" (x int); CREATE TABLE "a.b".c (x int)`,
    );
    for (const each of names) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(each)}`);
      await client.query(
        `CREATE TABLE ${quote(each)}.${quote(each)} (${names.map((column) => `${quote(column)} int`).join(', ')})`,
      );
      await client.query(`CREATE VIEW ${quote(each)}."v" AS SELECT q.*, q.${quote(each)} + 1 AS ${quote(`+${each.slice(0, 30)}`)}
        FROM (SELECT * FROM ${quote(each)}.${quote(each)} AS ${quote(each)}) q`);
    }
    const found = byName(await crawl(url));
    expect(name).toBe('we"ird.db');
    expect(found.has('table "we""ird.db".a."b.c"')).toBe(true);
    expect(found.has('table "we""ird.db"."a.b".c')).toBe(true);
    const part = (text: string): string => (/[."]/.test(text) ? quote(text) : text);
    for (const each of names) {
      for (const column of names) {
        const key = `"we""ird.db".${part(each)}.v.${part(column)}`;
        expect(upstreamOf(found.get(`column ${key}`)), key).toEqual([
          `"we""ird.db".${part(each)}.${part(each)}.${part(column)}`,
        ]);
      }
      expect(found.get(`view "we""ird.db".${part(each)}.v`)?.attributes?.['column_lineage']).toBe('column');
    }
    const small = byName(await crawl(url, { page_size: 50 }));
    expect([...small.keys()].sort()).toEqual([...found.keys()].sort());
  });

  test('pages of any size give the same records in the same order, a table of 1,600 columns among them', async () => {
    const { client, url } = await server.database();
    const many = Array.from({ length: 1_600 }, (_, index) => `c${index} int`).join(', ');
    await client.query(`CREATE TABLE widest (${many})`);
    for (let number = 0; number < 60; number++)
      await client.query(`CREATE SCHEMA s${number}; CREATE TABLE s${number}.t (a int, b int)`);
    const whole = await crawl(url, { page_size: 5_000 });
    expect(whole.filter((record) => record.entity_type === 'column')).toHaveLength(1_600 + 120);
    expect(await crawl(url, { page_size: 50 })).toEqual(whole);
    expect(await crawl(url, { page_size: 61 })).toEqual(whole);
  });

  test('the fingerprint changes with whatever a crawl reads, and with nothing else', async () => {
    const { client, url } = await server.database();
    await client.query('CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t; CREATE ROLE somebody');
    let before = await fingerprint(url);
    const changes = [
      'ALTER TABLE t RENAME a TO aa',
      'ALTER TABLE t ALTER b TYPE varchar(9)',
      `ALTER TABLE t ALTER b SET DEFAULT 'x'`,
      `ALTER TABLE t ALTER b SET DEFAULT 'y'`,
      'ALTER TABLE t ADD PRIMARY KEY (aa)',
      'ALTER TABLE t ADD c int',
      'ALTER TABLE t DROP c',
      'CREATE UNIQUE INDEX ON t (b)',
      `COMMENT ON COLUMN t.b IS 'b'`,
      `COMMENT ON TABLE t IS 't'`,
      `COMMENT ON SCHEMA public IS 'new words'`,
      'CREATE OR REPLACE VIEW v AS SELECT aa + 0 AS a FROM t',
      'CREATE SCHEMA another',
      'ALTER TABLE t OWNER TO somebody',
      'CREATE TABLE p (x int) PARTITION BY LIST (x); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)',
      'ALTER TABLE p DETACH PARTITION p1',
      'DROP VIEW v',
      // There and back again: somebody who read in between has seen another name.
      'ALTER TABLE t RENAME TO x; ALTER TABLE x RENAME TO t',
      'ALTER TABLE t RENAME aa TO x; ALTER TABLE t RENAME x TO aa',
      'ALTER SCHEMA another RENAME TO x; ALTER SCHEMA x RENAME TO another',
      'ALTER TABLE t ADD d int; ALTER TABLE t DROP d',
    ];
    for (const change of changes) {
      await client.query(change);
      const next = await fingerprint(url);
      expect(next, change).not.toBe(before);
      before = next;
      await client.query('DELETE FROM t');
      await client.query('INSERT INTO t SELECT n, n::text FROM generate_series(1, 9) n');
      await client.query('ANALYZE');
      await client.query('VACUUM FULL t');
      await client.query('CREATE TEMP TABLE mine (a int)');
      expect(await fingerprint(url), `after rows: ${change}`).toBe(next);
      await client.query('DROP TABLE mine');
    }
    await client.query('DROP TABLE t; DROP OWNED BY somebody; DROP ROLE somebody');
  });

  test('1,000 tables with 20,000 columns are read in seconds', async () => {
    const { client, url } = await server.database();
    await createWideDatabase(client, { tables: 1_000, columnsPerTable: 20, views: 5 });
    const startedAt = performance.now();
    const records = await crawl(url);
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(records.filter((record) => record.entity_type === 'column')).toHaveLength(20_100);
    expect(new Set(records.map((record) => `${record.entity_type} ${record.qualified_name}`)).size).toBe(
      records.length,
    );
    expect(upstreamOf(records.at(-1))).toHaveLength(1);
    console.log(
      `read ${records.length} entities in ${seconds.toFixed(2)} s: ${Math.round(20_100 / seconds)} columns/s`,
    );
    expect(seconds).toBeLessThan(15);
  });
});
