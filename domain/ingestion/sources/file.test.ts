import { describe, expect, test } from 'vitest';
import { publicSource, sourceHosts, sourceIdOf, sourceSchema } from '../source.ts';

const object = '0123456789abcdef01234567';
const file = { type: 'file', format: 'csv', object };
const parse = (change: object) => sourceSchema.parse({ ...file, ...change });

describe('the id of a file', () => {
  test('is its name, else its address without what may be secret, else the upload', () => {
    const url = 'https://ada:secret@data.example.org/dumps/a.csv?sig=secret#part';
    expect(sourceIdOf(parse({ name: 'erp' }))).toBe('file:erp');
    expect(sourceIdOf(parse({ object: undefined, url }))).toBe('file:https://data.example.org/dumps/a.csv');
    expect(sourceIdOf(parse({}))).toBe(`file:${object}`);
  });
});

test('neither password nor query is shown, and the host is checked', () => {
  const source = parse({ object: undefined, url: 'https://ada:secret@[2001:db8::1]:8443/a.csv?sig=secret' });
  expect(JSON.stringify(publicSource(source))).not.toContain('secret');
  expect(publicSource(source)).toMatchObject({ type: 'file', url: 'https://[2001:db8::1]:8443/a.csv' });
  expect(sourceHosts(source)).toEqual([{ host: '2001:db8::1', field: '/source/url' }]);
  expect(sourceHosts(parse({}))).toEqual([]);
});

test.each<[string, object, string]>([
  ['neither upload nor url', { object: undefined }, 'is needed, or else url'],
  ['both', { url: 'https://example.org/a' }, 'is needed, or else url'],
  ['an object that is no id', { object: '../x' }, 'must be the object_id of an upload'],
  ['a url of files', { object: undefined, url: 'file:///etc/passwd' }, 'must begin with https://'],
  ['a format that is not known', { format: 'xls' }, 'must be one of: json, ndjson, csv, xml, xlsx'],
  ['a snapshot of nobody', { mode: 'snapshot' }, 'is needed for a snapshot'],
  ['a sheet of a CSV', { sheet: 1 }, 'is for xlsx, not for csv'],
  ['a delimiter of JSON', { format: 'json', delimiter: ';' }, 'is for csv, not for json'],
  ['a delimiter of two characters', { delimiter: '||' }, 'must be one ASCII character'],
  ['a delimiter that ends lines', { delimiter: '\n' }, 'must be one ASCII character'],
  ['a delimiter that is the quote', { delimiter: '"', quote: '"' }, 'must differ from the delimiter'],
  ['an encoding that is not known', { encoding: 'utf-7' }, 'must be one of: utf-8'],
  ['a long url without a name', { object: undefined, url: `https://example.org/${'a'.repeat(300)}` }, 'too long'],
  ['a field that nobody knows', { more: 1 }, 'more'],
])('%s is refused', (_what, change, words) => {
  const result = sourceSchema.safeParse({ ...file, ...change });
  expect(JSON.stringify(result.error?.issues)).toContain(words);
});
