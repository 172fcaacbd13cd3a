import { expect, test } from 'vitest';
import { publicSource, sourceHosts, sourceIdOf, sourceSchema, withKeptSecrets, type SourceOptions } from '../source.ts';
import { mongodbTarget } from './mongodb.ts';
import { mysqlTarget } from './mysql.ts';
import { neo4jTarget } from './neo4j.ts';

const source = (options: object): SourceOptions => sourceSchema.parse(options);

test('URLs are taken apart, with their escapes and their defaults', () => {
  expect(mysqlTarget('mysql://a%40b:p%3Aw@[2606:4700::1]/my%20db?ssl-mode=required')).toMatchObject({
    host: '2606:4700::1',
    port: 3306,
    user: 'a@b',
    password: 'p:w',
    path: 'my db',
    sslMode: 'required',
  });
  expect(mongodbTarget('mongodb+srv://u:p@c.example/app?retryWrites=true&w=majority')).toMatchObject({
    isService: true,
    tls: { verify: true },
    authSource: 'app',
  });
  expect(mongodbTarget('mongodb://h/?tlsInsecure=true&ssl=true')).toMatchObject({
    port: 27_017,
    isService: false,
    tls: { verify: false },
    authSource: 'admin',
    user: '',
  });
  expect(neo4jTarget('neo4j+s://u:p@h').tls).toEqual({ verify: true });
  expect(neo4jTarget('bolt+ssc://u:p@h').tls).toEqual({ verify: false });
  expect(neo4jTarget('bolt://u:p@h').tls).toBeUndefined();
});

test.each([
  ['mysql', 'postgres://u@h', 'must have the form'],
  ['mysql', 'mysql://h', 'must name a user'],
  ['mysql', 'mysql://u:secret@h/a/b', 'one database'],
  ['mysql', 'mysql://u:secret@h?socketPath=/x', 'not supported: socketPath'],
  ['mysql', 'mysql://u:secret@h?ssl-mode=maybe', 'ssl-mode must be one of'],
  ['mysql', 'mysql://u:50%@h', 'write it as %25'],
  ['mysql', 'mysql://u:a%00b@h', 'NUL'],
  ['mongodb', 'mongodb://u:secret@%2Ftmp%2Fsocket', 'must name a host'],
  ['mongodb', 'mongodb://u:secret@a,b/x', 'one host'],
  ['mongodb', 'mongodb://u:secret@h/?proxyHost=10.0.0.1', 'not supported: proxyHost'],
  ['mongodb', 'mongodb://u:secret@h/?authMechanism=PLAIN', 'authMechanism must be one of'],
  ['mongodb', 'mongodb://:secret@h', 'must name a user'],
  ['neo4j', 'http://u:secret@h', 'must have the form'],
  ['neo4j', 'bolt://u:secret@h/db', 'without a path'],
])('%s: %s is refused, without repeating it', (type, url, words) => {
  const parsed = sourceSchema.safeParse({ type, url });
  expect(parsed.error?.issues[0]?.message).toContain(words);
  expect(JSON.stringify(parsed.error?.issues)).not.toContain('secret');
});

test.each([
  [{ type: 'mysql', url: 'mysql://u:secret@DB.example/x' }, 'mysql:db.example/x', ['DB.example']],
  [{ type: 'mysql', url: 'mysql://u:secret@db.example:3307', name: 'prod' }, 'mysql:prod', ['db.example']],
  [{ type: 'mongodb', url: 'mongodb://u:secret@db.example:1/x' }, 'mongodb:db.example:1', ['db.example']],
  [{ type: 'mongodb', url: 'mongodb+srv://u:secret@c.example' }, 'mongodb:c.example', []],
  [{ type: 'neo4j', url: 'bolt://u:secret@g.example', database: 'x' }, 'neo4j:g.example/x', ['g.example']],
  [
    {
      type: 'kafka',
      brokers: ['B.example:9092', 'a.example:9093'],
      tls: 'require',
      sasl: { mechanism: 'plain', username: 'u', password: 'secret' },
      schema_registry: { url: 'https://r.example/x', username: 'u', password: 'secret' },
    },
    'kafka:a.example:9093',
    ['B.example', 'a.example', 'r.example'],
  ],
])('%j is named, shown and judged without its credentials', (options, id, hosts) => {
  const one = source(options);
  expect(sourceIdOf(one)).toBe(id);
  expect(JSON.stringify(publicSource(one))).not.toContain('secret');
  expect(sourceHosts(one).map(({ host }) => host)).toEqual(hosts);
});

test('a password is kept for the same place, user and encryption only', () => {
  const kept = source({ type: 'mysql', url: 'mysql://u:secret@h/x?ssl-mode=required' });
  const with_ = (url: string): SourceOptions => withKeptSecrets(source({ type: 'mysql', url }), kept);
  expect(with_('mysql://u@h/x?ssl-mode=required')).toEqual(kept);
  for (const url of ['mysql://u@other/x?ssl-mode=required', 'mysql://v@h/x?ssl-mode=required', 'mysql://u@h/x']) {
    expect(JSON.stringify(with_(url))).not.toContain('secret');
  }
});

test.each([
  { brokers: [] },
  { brokers: ['h'] },
  { brokers: ['h:0'] },
  { brokers: ['u:p@h:1'] },
  { brokers: ['h:9092'], sasl: { mechanism: 'aws', username: 'u', password: 'p' } },
  { brokers: ['h:9092'], schema_registry: { url: 'https://u:p@h' } },
  { brokers: ['h:9092'], schema_registry: { url: 'file:///etc/passwd' } },
])('kafka with %j is refused', (options) => {
  expect(sourceSchema.safeParse({ type: 'kafka', ...options }).success).toBe(false);
});
