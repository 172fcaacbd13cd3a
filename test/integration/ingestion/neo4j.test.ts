import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import type { Driver } from 'neo4j-driver';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PermanentSourceError } from '#activities/ingestion/permanent-source-error.ts';
import { escaped } from '#activities/ingestion/sources/neo4j/catalog.ts';
import { openNeo4jSession } from '#activities/ingestion/sources/neo4j/connection.ts';
import type { Neo4jSource } from '#domain/ingestion/sources/neo4j.ts';
import { loadConfig } from '#platform/config.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { sourceContext } from '#test/support/source-context.ts';
import { byName, crawl, failureOf, fingerprint, withSource } from '#test/support/sources/crawl.ts';

const config = loadConfig(process.env).neo4j;
const urlFor = (user: string, password: string): string =>
  config.url.replace('bolt://', `bolt://${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);

let driver: Driver;
/** What the labels and types of one test begin with: the server has one database, which is Lily's own. */
let prefix: string;
const labels = new Set<string>();

beforeAll(() => {
  driver = connectNeo4j(config);
});
afterAll(async () => driver.close());
beforeEach(() => {
  prefix = `T${randomBytes(4).toString('hex')}_`;
});
afterEach(async () => {
  for (const label of labels) await driver.executeQuery(`MATCH (n:${escaped(label)}) DETACH DELETE n`);
  await driver.executeQuery(`DROP CONSTRAINT ${prefix}c IF EXISTS`);
  await driver.executeQuery(`DROP INDEX ${prefix}i IF EXISTS`);
  labels.clear();
});

/** Makes nodes and relationships; `P` in the Cypher stands for the test's prefix. */
async function make(cypher: string): Promise<void> {
  const query = cypher.replaceAll(/\bP_/g, prefix);
  for (const [label] of query.matchAll(new RegExp(`${prefix}[A-Za-z]+`, 'g'))) labels.add(label);
  await driver.executeQuery(query);
}

const source = (more: Partial<Neo4jSource> = {}): Neo4jSource => ({
  type: 'neo4j',
  url: urlFor(config.user, config.password),
  name: 'graph',
  labels: [`${prefix}*`],
  relationship_types: [`${prefix}*`],
  ...more,
});
const at = (path: string): string => `graph.neo4j.${prefix}${path}`;

async function shop(): Promise<void> {
  await make(`CREATE (a:P_Person:P_Admin {name: 'Ada', born: date('1815-12-10'), tags: ['x']})-[:P_BOUGHT {at: 1}]->(b:P_Thing {name: 1, price: 2.5})
    CREATE (:P_Person {name: 'Bob'})-[:P_BOUGHT {at: 'late'}]->(b) CREATE (b)-[:P_PART_OF]->(:P_Thing)`);
  await make('CREATE CONSTRAINT P_c FOR (n:P_Person) REQUIRE n.name IS UNIQUE');
  await make('CREATE INDEX P_i FOR (n:P_Thing) ON (n.price, n.name)');
}

test('labels, relationship types, their properties, rules and ends, exactly', async () => {
  await shop();
  const records = byName(await crawl(source()));
  expect([...records.keys()]).toEqual([
    'server graph',
    'database graph.neo4j',
    `label ${at('Admin')}`,
    ...['born', 'name', 'tags'].map((name) => `property ${at(`Admin.${name}`)}`),
    `label ${at('Person')}`,
    ...['born', 'name', 'tags'].map((name) => `property ${at(`Person.${name}`)}`),
    `label ${at('Thing')}`,
    ...['name', 'price'].map((name) => `property ${at(`Thing.${name}`)}`),
    `relationship_type ${at('BOUGHT')}`,
    `relationship_property ${at('BOUGHT.at')}`,
    `relationship_type ${at('PART_OF')}`,
  ]);
  expect(records.get(`label ${at('Person')}`)).toMatchObject({
    attributes: { constraints: [{ name: `${prefix}c`, type: 'UNIQUENESS', properties: ['name'] }] },
    statistics: { count: 2, sampled: 2, sample_is_whole: true },
  });
  expect(records.get(`label ${at('Thing')}`)?.attributes).toMatchObject({
    indexes: [{ name: `${prefix}i`, type: 'RANGE', properties: ['price', 'name'] }],
  });
  expect(records.get(`property ${at('Person.name')}`)).toMatchObject({
    attributes: { unique: true },
    statistics: { types: { STRING: 2 }, occurrences: 2 },
  });
  expect(records.get(`property ${at('Person.tags')}`)?.statistics).toMatchObject({
    types: { 'LIST<STRING NOT NULL>': 1 },
  });
  expect(records.get(`relationship_property ${at('BOUGHT.at')}`)?.statistics).toMatchObject({
    types: { INTEGER: 1, STRING: 1 },
  });
  const label = (name: string) => ({ entity_type: 'label', qualified_name: at(name) });
  expect(records.get(`relationship_type ${at('BOUGHT')}`)?.relationships).toEqual([
    { relationship_type: 'FROM_LABEL', target: label('Admin') },
    { relationship_type: 'FROM_LABEL', target: label('Person') },
    { relationship_type: 'TO_LABEL', target: label('Thing') },
  ]);
});

test('pages of every size give the same records in the same order, and so does a second reading', async () => {
  await shop();
  const whole = await crawl(source());
  for (const size of [1, 3, 5, 1_000]) expect(await crawl(source(), size)).toEqual(whole);
});

test('names with dots, quotes, backticks and escapes are read as what they are', async () => {
  const odd = ['a.b', 'q"q', 'b`b', 'u\\u0060 {x: 1}) //', 'naïve 表', '\\\\u0060'].map((name) => `${prefix}${name}`);
  for (const name of odd) {
    labels.add(name);
    await driver.executeQuery(
      `CREATE (:${escaped(name)} {${escaped(name)}: 1})-[:${escaped(name)}]->(:${escaped(name)})`,
    );
  }
  const records = await crawl(source());
  const named = (type: string): (string | undefined)[] =>
    records.filter(({ entity_type }) => entity_type === type).map(({ attributes }) => attributes?.name);
  expect(named('label').sort()).toEqual([...odd].sort());
  expect(named('relationship_type').sort()).toEqual([...odd].sort());
  expect(named('property').sort()).toEqual([...odd].sort());
  expect(records.filter(({ relationships }) => relationships?.length === 2)).toHaveLength(odd.length);
});

test('the fingerprint changes with labels, types and rules, and not with nodes', async () => {
  await shop();
  const before = await fingerprint(source());
  await make('CREATE (:P_Person {name: "Eve", other: 1})');
  expect(await fingerprint(source())).toBe(before);
  await make('MATCH (n:P_Thing) SET n:P_New');
  const withLabel = await fingerprint(source());
  expect(withLabel).not.toBe(before);
  await make('MATCH (n:P_New) REMOVE n:P_New');
  expect(await fingerprint(source())).toBe(before);
  await make('DROP INDEX P_i');
  expect(await fingerprint(source())).not.toBe(before);
});

test('a sample never deletes what it did not see', async () => {
  await make('UNWIND range(1, 20) AS i CREATE (:P_Many {always: i})');
  await make('CREATE (:P_Many {rare: 1})');
  const covers = (sample_nodes: number, entity_type: string, path: string): Promise<boolean> =>
    withSource(source({ sample_nodes }), async (reader) => reader.covers({ entity_type, qualified_name: at(path) }));
  expect(await covers(20, 'property', 'Many.rare')).toBe(false);
  expect(await covers(20, 'property', 'Many.never')).toBe(false);
  expect(await covers(21, 'property', 'Many.rare')).toBe(false);
  expect(await covers(21, 'property', 'Many.never')).toBe(true);
  expect(await covers(1, 'label', 'Many')).toBe(false);
  expect(await covers(1, 'label', 'Gone')).toBe(true);
  expect(await covers(1, 'property', 'Gone.x')).toBe(true);
  expect(await covers(1, 'relationship_type', 'Many')).toBe(true);
  expect(
    await withSource(source(), async (reader) =>
      reader.covers({ entity_type: 'label', qualified_name: 'graph.neo4j.Elsewhere' }),
    ),
  ).toBe(false);
});

describe('getting in', () => {
  const check = (options: Neo4jSource, allowPrivate = true): Promise<Error> =>
    failureOf(withSource(options, (reader) => reader.check(), allowPrivate));

  test('a wrong password and a missing database are final, and say so without the password', async () => {
    const wrong = await check(source({ url: urlFor('neo4j', 'hunter2') }));
    expect(wrong).toBeInstanceOf(PermanentSourceError);
    expect(wrong.message).toMatch(/does not let the user neo4j in/);
    expect(JSON.stringify(wrong) + wrong.message + String(wrong.stack)).not.toContain('hunter2');
    const missing = await check(source({ database: 'nosuch' }));
    expect(missing).toBeInstanceOf(PermanentSourceError);
    expect(missing.message).toContain('has no database nosuch');
  });

  test('the session cannot write', async () => {
    const session = await openNeo4jSession(source(), sourceContext);
    try {
      expect((await failureOf(session.query('CREATE (:Nobody)'))).message).toMatch(/read access mode/i);
    } finally {
      await session.close();
    }
  });

  test('a loopback address is refused unless private ones are allowed, whatever the scheme', async () => {
    for (const scheme of ['bolt', 'neo4j', 'bolt+s']) {
      for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
        const url = source().url.replace('bolt', scheme).replace('127.0.0.1', host);
        expect(await check(source({ url }), false), url).toMatchObject({ code: 'source-refused' });
      }
    }
  });

  test('TLS to a server without it, and a server that is none, are told in a sentence', async () => {
    expect(await check(source({ url: source().url.replace('bolt:', 'bolt+ssc:') }))).toMatchObject({
      code: 'source-unreachable',
    });
    const odd = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>((done) => odd.listen(0, '127.0.0.1', done));
    const url = `bolt://u:hunter2@127.0.0.1:${(odd.address() as AddressInfo).port}`;
    const failure = await check(source({ url }));
    expect(failure).toMatchObject({ code: 'source-unreachable' });
    expect(failure.message).not.toContain('hunter2');
    odd.close();
  });
});
