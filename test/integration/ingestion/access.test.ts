import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource } from '#activities/ingestion/sources/index.ts';
import { PermanentSourceError } from '#activities/ingestion/permanent-source-error.ts';
import { openSession } from '#activities/ingestion/sources/postgres/connection.ts';
import { crawl, installedVersions, sourceOf, startServer, type TestServer } from './postgres-servers.ts';
import { sourceContext } from '#test/support/source-context.ts';

async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Error,
  );
}

describe.each(installedVersions())('getting into $title', ({ binaries }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer(binaries);
  });
  afterAll(async () => server.stop());

  test('a role that may only sign in reads the same as the owner', async () => {
    const { client, url, urlFor } = await server.database();
    await client.query(`
      CREATE ROLE nobody_much LOGIN PASSWORD 'n';
      CREATE SCHEMA closed; REVOKE ALL ON SCHEMA public FROM PUBLIC;
      CREATE TABLE closed.t (a int PRIMARY KEY, b text DEFAULT 'x'); CREATE VIEW closed.v AS SELECT a + 1 AS a FROM closed.t`);
    expect(await crawl(urlFor('nobody_much', 'n'), { include_system: true })).toEqual(
      await crawl(url, { include_system: true }),
    );
  });

  test('what a database or a role has set for itself changes nothing', async () => {
    const { client, url, name } = await server.database();
    await client.query(`CREATE SCHEMA s; CREATE TYPE s.odd AS ENUM ('a');
      CREATE TABLE s.t (a s.odd DEFAULT 'a', d date DEFAULT '2026-02-01', i interval DEFAULT '1 day 02:00'); CREATE VIEW s.v AS SELECT * FROM s.t`);
    const before = await crawl(url);
    for (const setting of [
      `search_path = s, public`,
      `datestyle = 'German'`,
      `intervalstyle = 'iso_8601'`,
      'quote_all_identifiers = on',
    ]) {
      await client.query(`ALTER DATABASE ${name} SET ${setting}`);
    }
    expect(await crawl(url)).toEqual(before);
  });

  test('the session cannot write', async () => {
    const { url } = await server.database();
    const session = await openSession(url, sourceContext);
    try {
      expect((await failureOf(session.query('CREATE TABLE mine (a int)'))).message).toContain('read-only transaction');
    } finally {
      await session.close();
    }
  });

  test('a wrong password, and a database that is not there, are final, and say so without the password', async () => {
    const { urlFor, url } = await server.database();
    const wrong = await failureOf(sourceOf(urlFor('lily', 'hunter2')).check());
    expect(wrong).toBeInstanceOf(PermanentSourceError);
    expect(wrong).toMatchObject({ code: 'source-unreachable' });
    expect(wrong.message).toMatch(/does not let the user lily in/);
    expect(JSON.stringify(wrong) + wrong.message + String(wrong.stack)).not.toContain('hunter2');
    const missing = await failureOf(sourceOf(url.replace(/[^/]+$/, 'no_such_db')).check());
    expect(missing).toBeInstanceOf(PermanentSourceError);
    expect(missing.message).toContain('has no database no_such_db');
  });

  test('system schemas and patterns choose what is read, and what may be deleted', async () => {
    const { client, url, name } = await server.database();
    await client.query(
      'CREATE SCHEMA sales_eu; CREATE SCHEMA sales_us; CREATE SCHEMA "100%"; CREATE TABLE sales_eu.t (a int)',
    );
    const schemas = async (options: object): Promise<string[]> =>
      (await crawl(url, options))
        .filter((record) => record.entity_type === 'schema')
        .map((record) => record.qualified_name.slice(name.length + 1));
    expect(await schemas({})).toEqual(['100%', 'public', 'sales_eu', 'sales_us']);
    expect(await schemas({ schemas: ['sales_*', '1??%'] })).toEqual(['100%', 'sales_eu', 'sales_us']);
    expect(await schemas({ include_system: true })).toEqual([
      '100%',
      'information_schema',
      'pg_catalog',
      'public',
      'sales_eu',
      'sales_us',
    ]);
    expect(await schemas({ schemas: ['pg_*'] })).toEqual([]);
    const some = sourceOf(url, { schemas: ['sales_*'] });
    const covers = (qualified_name: string): boolean | Promise<boolean> =>
      some.covers({ entity_type: 'table', qualified_name });
    expect(covers(`${name}.sales_eu.t`)).toBe(true);
    expect(covers(name)).toBe(true);
    expect(covers(`${name}.public.t`)).toBe(false);
    expect(covers(`${name}.pg_catalog.pg_class`)).toBe(false);
    expect(covers(`other.sales_eu.t`)).toBe(false);
    const catalogue = { entity_type: 'table', qualified_name: `${name}.pg_catalog.pg_class` };
    expect(sourceOf(url).covers(catalogue)).toBe(false);
    expect(sourceOf(url, { include_system: true }).covers(catalogue)).toBe(true);
  });

  test('a loopback address is refused unless private ones are allowed', async () => {
    const { url } = await server.database();
    const refused = await failureOf(
      openSource({ type: 'postgres', url }, { ...sourceContext, allowPrivate: false }).check(),
    );
    expect(refused).toMatchObject({ code: 'source-refused' });
  });
});

describe('places that are no database', () => {
  let server: Server;
  let answer: (socket: Socket) => void;
  let url: string;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      answer(socket);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    url = `postgres://u:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/d`;
  });
  afterAll(() => server.close());

  test.each([
    ['hangs up', (socket: Socket) => socket.destroy()],
    ['talks HTTP', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['talks nonsense after TLS was declined', (socket: Socket) => socket.write('N\0\0\0\0')],
  ])('one that %s is reported in a sentence', async (_title, how) => {
    answer = how;
    const failure = await failureOf(sourceOf(`${url}?sslmode=require`).check());
    expect(failure).toMatchObject({ code: 'source-unreachable' });
    expect(failure.message).not.toContain('hunter2');
  });

  test('one that sends without end is cut off, and that is final', async () => {
    answer = (socket) => {
      // An answer of two gigabytes, as far as its length goes.
      socket.once('data', () => {
        socket.write(Buffer.from([0x52, 0x7f, 0xff, 0xff, 0xff]));
        const chunk = Buffer.alloc(1024 * 1024);
        const pump = (): void => {
          while (!socket.destroyed && socket.write(chunk));
        };
        socket.on('drain', pump);
        pump();
      });
    };
    const failure = await failureOf(sourceOf(`${url}?sslmode=disable`).check());
    expect(failure).toBeInstanceOf(PermanentSourceError);
    expect(failure.message).toContain('sent more than 64 MiB in one answer');
    expect(failure.message).not.toContain('hunter2');
  });

  test('a port where nobody listens refuses connections', async () => {
    const failure = await failureOf(sourceOf('postgres://u:hunter2@127.0.0.1:1/d').check());
    expect(failure).toMatchObject({ code: 'source-unreachable', message: '127.0.0.1:1 refuses connections.' });
    expect(failure).not.toBeInstanceOf(PermanentSourceError);
  });
});
