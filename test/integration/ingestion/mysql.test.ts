import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PermanentSourceError } from '#activities/ingestion/permanent-source-error.ts';
import { openMysqlSession } from '#activities/ingestion/sources/mysql/connection.ts';
import { mysqlTarget, type MysqlSource } from '#domain/ingestion/sources/mysql.ts';
import { sourceContext } from '#test/support/source-context.ts';
import { byName, crawl, failureOf, fingerprint, upstreamOf, withSource } from '#test/support/sources/crawl.ts';
import { startMariadb, type MariadbServer } from '#test/support/sources/mariadb-server.ts';
import { freshName } from '#test/support/sources/place.ts';

let server: MariadbServer;
let db: string;
beforeAll(async () => {
  server = await startMariadb({ tls: true });
});
afterAll(async () => server.stop());
beforeEach(async () => {
  db = freshName();
  await server.admin.query(`CREATE DATABASE \`${db}\`; USE \`${db}\``);
});

const source = (more: Partial<MysqlSource> = {}): MysqlSource => ({
  type: 'mysql',
  url: server.url,
  name: 'shopserver',
  databases: [db],
  ...more,
});

async function shop(): Promise<void> {
  await server.admin.query(`
    CREATE TABLE people (id int PRIMARY KEY AUTO_INCREMENT, email varchar(80) NOT NULL UNIQUE COMMENT 'where to write') COMMENT = 'Everybody';
    CREATE TABLE orders (id int, line int, person int DEFAULT 7, total decimal(8,2) AS (line * 2) STORED, note text DEFAULT 'it''s',
      PRIMARY KEY (id, line), CONSTRAINT who FOREIGN KEY (person) REFERENCES people (id));
    CREATE VIEW big AS SELECT o.id, p.email, 'from \`x\`.\`y\`' AS s FROM orders o LEFT JOIN people p ON p.id = o.person WHERE o.id IN (SELECT id FROM people);
    CREATE VIEW bigger AS WITH c AS (SELECT email FROM big) SELECT extract(year FROM c.email) AS y FROM c;
    CREATE SEQUENCE numbers`);
}

test('tables, columns, keys, views and what they are made from, exactly', async () => {
  await shop();
  const records = byName(await crawl(source()));
  const at = (name: string): string => `shopserver.${db}${name}`;
  expect([...records.keys()]).toEqual([
    'server shopserver',
    `database ${at('')}`,
    `view ${at('.big')}`,
    ...['id', 'email', 's'].map((name) => `column ${at(`.big.${name}`)}`),
    `view ${at('.bigger')}`,
    `column ${at('.bigger.y')}`,
    `table ${at('.orders')}`,
    ...['id', 'line', 'person', 'total', 'note'].map((name) => `column ${at(`.orders.${name}`)}`),
    `table ${at('.people')}`,
    ...['id', 'email'].map((name) => `column ${at(`.people.${name}`)}`),
  ]);
  expect(records.get(`table ${at('.people')}`)).toMatchObject({
    attributes: {
      description: 'Everybody',
      engine: 'InnoDB',
      primary_key: ['id'],
      unique_keys: [{ columns: ['email'] }],
    },
    parent: { entity_type: 'database', qualified_name: at('') },
    statistics: { row_estimate: 0 },
  });
  expect(records.get(`table ${at('.orders')}`)).toMatchObject({
    attributes: {
      primary_key: ['id', 'line'],
      foreign_keys: [{ name: 'who', columns: ['person'], references: at('.people'), referenced_columns: ['id'] }],
    },
    relationships: [
      { relationship_type: 'REFERENCES', target: { entity_type: 'table', qualified_name: at('.people') } },
    ],
  });
  expect(records.get(`column ${at('.orders.person')}`)).toMatchObject({
    attributes: { data_type: 'int(11)', nullable: true, default: '7', ordinal_position: 3 },
    relationships: [
      { relationship_type: 'REFERENCES', target: { entity_type: 'column', qualified_name: at('.people.id') } },
    ],
  });
  expect(records.get(`column ${at('.orders.total')}`)?.attributes).toMatchObject({ generated_as: '`line` * 2' });
  expect(records.get(`column ${at('.orders.note')}`)?.attributes).toMatchObject({ default: `'it\\'s'` });
  expect(records.get(`column ${at('.people.email')}`)?.attributes).toMatchObject({
    unique: true,
    nullable: false,
    description: 'where to write',
  });
  expect(upstreamOf(records.get(`view ${at('.big')}`))).toEqual([at('.orders'), at('.people')]);
  expect(upstreamOf(records.get(`view ${at('.bigger')}`))).toEqual([at('.big')]);
  expect(records.get(`view ${at('.bigger')}`)?.upstream).toEqual([{ entity_type: 'view', qualified_name: at('.big') }]);
  expect(records.get(`view ${at('.big')}`)?.attributes).toMatchObject({ column_lineage: 'relation' });
});

test('pages of every size give the same records in the same order, and so does a second reading', async () => {
  await shop();
  const other = freshName();
  await server.admin.query(
    `CREATE DATABASE \`${other}\`; CREATE TABLE \`${other}\`.\`Z\` (a int); CREATE TABLE \`${other}\`.\`a\` (a int)`,
  );
  const options = source({ databases: [db, other] });
  const whole = await crawl(options);
  expect(whole.filter(({ entity_type }) => entity_type === 'table')).toHaveLength(4);
  for (const size of [1, 2, 3, 7, 1_000]) expect(await crawl(options, size)).toEqual(whole);
});

test('names with dots, quotes, backticks and other alphabets stay apart', async () => {
  await server.admin.query(
    'CREATE TABLE `a.b` (`c``d` int, `e"f` int, `naïve 表` int, `%` int); CREATE VIEW `v``.x` AS SELECT * FROM `a.b`',
  );
  const records = byName(await crawl(source()));
  expect(
    [...records.keys()].filter((name) => name.startsWith('column')).map((name) => name.slice(7 + 12 + db.length)),
  ).toEqual([
    '"a.b".c`d',
    '"a.b"."e""f"',
    '"a.b".naïve 表',
    '"a.b".%',
    '"v`.x".c`d',
    '"v`.x"."e""f"',
    '"v`.x".naïve 表',
    '"v`.x".%',
  ]);
  expect(upstreamOf(records.get(`view shopserver.${db}."v\`.x"`))).toEqual([`shopserver.${db}."a.b"`]);
});

describe('the fingerprint', () => {
  test.each([
    'CREATE TABLE more (a int)',
    'ALTER TABLE people RENAME COLUMN email TO mail',
    "ALTER TABLE people COMMENT = 'x'",
    "ALTER TABLE people MODIFY email varchar(80) NOT NULL COMMENT 'y'",
    'ALTER TABLE orders DROP FOREIGN KEY who',
    'CREATE OR REPLACE VIEW big AS SELECT id FROM people',
    'ALTER TABLE people ALTER email SET DEFAULT 1',
    'ALTER TABLE orders ADD UNIQUE (person)',
    'RENAME TABLE people TO persons',
    'DROP VIEW bigger',
  ])('changes with %s', async (statement) => {
    await shop();
    const before = await fingerprint(source());
    expect(await fingerprint(source())).toBe(before);
    await server.admin.query(statement);
    expect(await fingerprint(source())).not.toBe(before);
  });

  test('does not change with rows, nor with what is not read', async () => {
    await shop();
    const before = await fingerprint(source());
    await server.admin.query(
      `INSERT INTO people VALUES (1, 'a@b'); ANALYZE TABLE people; CREATE DATABASE ${freshName()}`,
    );
    expect(await fingerprint(source())).toBe(before);
  });
});

describe('what may be deleted', () => {
  const covers = (options: MysqlSource, entity_type: string, ...parts: string[]): Promise<boolean> =>
    withSource(options, async (reader) =>
      reader.covers({ entity_type, qualified_name: ['shopserver', db, ...parts].join('.') }),
    );

  test('is what the server says is not there, to a user who would see it', async () => {
    await shop();
    expect(await covers(source(), 'table', 'gone')).toBe(true);
    expect(await covers(source(), 'column', 'people', 'gone')).toBe(true);
    expect(await covers(source(), 'view', 'people')).toBe(true);
    expect(await covers(source(), 'table', 'people')).toBe(false);
    await server.admin.query(`DROP DATABASE \`${db}\``);
    expect(await covers(source(), 'database')).toBe(true);
    expect(await covers(source(), 'column', 'people', 'email')).toBe(true);
  });

  test('is never what a user has lost the right to see', async () => {
    await shop();
    const url = await server.user(db);
    await server.admin.query(
      `GRANT SELECT ON \`${db}\`.people TO \`${db}\`; GRANT SELECT (id) ON \`${db}\`.orders TO \`${db}\``,
    );
    const few = source({ url });
    const seen = (await crawl(few)).map(({ qualified_name }) => qualified_name.split('.').slice(2).join('.'));
    expect(seen).toEqual(['', '', 'orders', 'orders.id', 'people', 'people.id', 'people.email']);
    expect(await covers(few, 'column', 'people', 'gone')).toBe(true);
    expect(await covers(few, 'column', 'orders', 'total')).toBe(false);
    expect(await covers(few, 'view', 'big')).toBe(false);
    await server.admin.query(`REVOKE SELECT ON \`${db}\`.people FROM \`${db}\``);
    expect(await covers(few, 'table', 'people')).toBe(false);
    expect(await covers(few, 'column', 'people', 'email')).toBe(false);
    await server.admin.query(`REVOKE SELECT (id) ON \`${db}\`.orders FROM \`${db}\``);
    expect(await covers(few, 'database')).toBe(false);
  });

  test('is never what the options leave out', async () => {
    expect(await covers(source({ databases: ['other*'] }), 'table', 'gone')).toBe(false);
    expect(await covers(source({ exclude_databases: ['db_*'] }), 'table', 'gone')).toBe(false);
    expect(await covers(source({ name: 'elsewhere' }), 'table', 'gone')).toBe(false);
  });
});

describe('getting in', () => {
  test('a user without a grant is told so, and which one it needs', async () => {
    const url = await server.user(db);
    const failure = await failureOf(withSource(source({ url }), (reader) => reader.check()));
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain(`does not show the user ${db} any database`);
    expect(failure.message).toContain('SELECT, SHOW VIEW');
  });

  test('a view whose definition may not be seen is still there, and says so', async () => {
    await shop();
    const url = await server.user(db);
    await server.admin.query(`GRANT SELECT ON \`${db}\`.* TO \`${db}\``);
    const view = byName(await crawl(source({ url }))).get(`view shopserver.${db}.big`);
    expect(view?.attributes).toMatchObject({ definition_visible: false, column_lineage: 'none' });
  });

  test('a wrong password is final, and not repeated', async () => {
    const failure = await failureOf(
      withSource(source({ url: server.urlFor('lily', 'hunter2') }), (reader) => reader.check()),
    );
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toMatch(/does not let the user lily in/);
    expect(JSON.stringify(failure) + failure.message + String(failure.stack)).not.toContain('hunter2');
  });

  test('the session cannot write', async () => {
    const session = await openMysqlSession(mysqlTarget(server.url), sourceContext);
    try {
      for (const statement of [`CREATE TABLE \`${db}\`.mine (a int)`, `DELETE FROM mysql.proc`]) {
        expect((await failureOf(session.query(statement))).message).toMatch(/READ ONLY|read.only/i);
      }
    } finally {
      await session.close();
    }
  });

  test('TLS is used where there is, demanded where it is asked for, and its certificate checked', async () => {
    const cipher = async (mode: string): Promise<string | undefined> => {
      const session = await openMysqlSession(mysqlTarget(`${server.url}?ssl-mode=${mode}`), sourceContext);
      const [row] = await session.query<{ Value: string }>(`SHOW SESSION STATUS LIKE 'Ssl_cipher'`);
      await session.close();
      return row?.Value;
    };
    expect(await cipher('preferred')).not.toBe('');
    expect(await cipher('required')).not.toBe('');
    expect(await cipher('disabled')).toBe('');
    expect((await failureOf(cipher('verify-identity'))).message).toContain('self-signed');
  });

  test('a loopback address is refused unless private ones are allowed', async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1']) {
      const url = server.url.replace('127.0.0.1', host);
      const failure = await failureOf(withSource(source({ url }), (reader) => reader.check(), false));
      expect(failure, host).toMatchObject({ code: 'source-refused' });
    }
  });

  test.each([
    ['hangs up', Buffer.alloc(0)],
    ['talks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('one that %s is reported in a sentence', async (_title, says) => {
    const odd = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(says);
    });
    await new Promise<void>((done) => odd.listen(0, '127.0.0.1', done));
    const url = `mysql://u:hunter2@127.0.0.1:${(odd.address() as AddressInfo).port}`;
    const failure = await failureOf(withSource(source({ url }), (reader) => reader.check()));
    expect(failure).toMatchObject({ code: 'source-unreachable' });
    expect(failure.message).not.toContain('hunter2');
    odd.close();
  });
});
