import { expect, test } from 'vitest';
import { publicSource, sourceIdOf, sourceSchema, type SourceOptions } from './source.ts';
import { postgresTarget } from './sources/postgres.ts';

const source = (url: string, more: object = {}): SourceOptions =>
  sourceSchema.parse({ type: 'postgres', url, ...more });

test('a URL is taken apart, with its escapes', () => {
  expect(postgresTarget('postgres://a%40b:p%3Aw@[2606:4700::1]:6543/my%20db?sslmode=verify-full')).toEqual({
    host: '2606:4700::1',
    port: 6543,
    database: 'my db',
    user: 'a@b',
    password: 'p:w',
    sslMode: 'verify-full',
  });
  expect(postgresTarget('postgresql://u@h/d')).toMatchObject({ port: 5432, password: '', sslMode: 'prefer' });
});

test.each([
  ['mysql://u@h/d', 'must have the form'],
  ['not a url', 'must have the form'],
  ['postgres:///d', 'host'],
  ['postgres://u@%2Fvar%2Frun/d', 'host'],
  ['postgres://h/d', 'must name a user'],
  ['postgres://u@h', 'must name one database'],
  ['postgres://u@h/a/b', 'must name one database'],
  ['postgres://u:secret@h/d?options=-c%20x', 'not supported: options'],
  ['postgres://u:secret@h/d?sslmode=maybe', 'sslmode must be one of'],
  ['postgres://u:50%@h/d', 'write it as %25'],
  ['postgres://u:a%00b@h/d', 'NUL'],
  ['postgres://u@h/d#x', 'fragment'],
])('%s is refused, without repeating it', (url, words) => {
  const parsed = sourceSchema.safeParse({ type: 'postgres', url });
  const message = parsed.error?.issues[0]?.message ?? '';
  expect(message).toContain(words);
  expect(JSON.stringify(parsed.error?.issues)).not.toContain('secret');
});

test('the same place has the same id, whoever signs in and whatever is read; a name goes before', () => {
  const id = sourceIdOf(source('postgres://ada:x@DB.example:5432/w'));
  expect(id).toBe('postgres:db.example:5432/w');
  expect(sourceIdOf(source('postgres://bob:y@db.example/w?sslmode=require', { schemas: ['a*'] }))).toBe(id);
  expect(sourceIdOf(source('postgres://ada@db.example/w', { name: 'prod' }))).toBe('postgres:prod');
});

test('what people see of a source holds no credentials', () => {
  const shown = publicSource(source('postgres://ada:secret@db.example/w', { schemas: ['a'], include_system: true }));
  expect(shown).toEqual({
    type: 'postgres',
    host: 'db.example',
    port: 5432,
    database: 'w',
    schemas: ['a'],
    include_system: true,
  });
});

test.each([
  { type: 'mysql', url: 'x' },
  {},
  { type: 'postgres' },
  { type: 'postgres', url: 'postgres://u@h/d', extra: 1 },
  { type: 'postgres', url: 'postgres://u@h/d', page_size: 1 },
])('%j is refused', (value) => {
  expect(sourceSchema.safeParse(value).success).toBe(false);
});
