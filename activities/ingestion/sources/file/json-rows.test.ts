import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '#domain/limits.ts';
import { jsonRows } from './json-rows.ts';

async function* pieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function rowsOf(text: string, pointer?: string, size = 5): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of jsonRows(pieces(text, size), pointer)) rows.push('row' in row ? row.row : row.fault);
  return rows;
}

const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));

test('the items of any list come out as JSON.parse would give them, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(object, { maxLength: 6 }),
      fc.constantFrom(0, 2),
      fc.integer({ min: 1, max: 30 }),
      async (items, indent, size) => {
        const expected = JSON.parse(JSON.stringify(items)) as unknown[];
        expect(await rowsOf(JSON.stringify(items, null, indent), '', size)).toEqual(expected);
        const wrapped = { a: { list: 1, b: [1] }, data: { x: items, list: items, y: 'z' }, b: null };
        expect(await rowsOf(JSON.stringify(wrapped, null, indent), '/data/list', size)).toEqual(expected);
      },
    ),
    { numRuns: 200 },
  );
}, 60_000);

test('any beginning of a document that is not all of it is refused', async () => {
  const text = JSON.stringify({ a: { b: [1, { c: '"]' }] }, data: [{ a: 1 }, { b: [{}] }], z: [[]] });
  for (let end = 0; end < text.length; end++) {
    await expect(rowsOf(text.slice(0, end), '/data'), text.slice(0, end)).rejects.toThrow('cut short');
  }
  expect(await rowsOf(text, '/data')).toEqual([{ a: 1 }, { b: [{}] }]);
});

test('what is no object, and what is no JSON, is a fault of its row alone', async () => {
  expect(await rowsOf('[{"a":1}, 2, "x", null, [3], {"a":tru}, {"a":1}, -1.5e3]')).toEqual([
    { a: 1 },
    'is no object',
    'is no object',
    'is no object',
    'is no object',
    expect.stringContaining('is no JSON'),
    { a: 1 },
    'is no object',
  ]);
});

test.each<[string, string, string | undefined, string]>([
  ['no list', '{"a":1}', undefined, 'say with "records" where the list of rows stands'],
  ['a text', '"a"', undefined, 'say with "records"'],
  ['a list elsewhere', '{"a":{"b":[]}}', '/a/c', 'There is no list at /a/c'],
  ['an object where the list should be', '{"a":{}}', '/a', 'There is no list at /a'],
  ['a key of the same name elsewhere', '{"x":{"a":[]},"b":1}', '/a', 'There is no list at /a'],
  ['a key of an earlier step below', '{"a":{"a":[1]}}', '/a/b', 'There is no list at /a/b'],
  ['nothing between items', '[{} {}]', undefined, 'where a comma should stand'],
  ['something behind the end', '[] []', undefined, 'where nothing more should stand'],
  ['a comma too many', '[1,]', undefined, 'where a value should stand'],
  ['a pointer that is none', '[]', 'a', 'must be a JSON pointer'],
  ['no JSON at all', '<a/>', undefined, 'The JSON is no list'],
])('%s is refused', async (_what, text, pointer, words) => {
  await expect(rowsOf(text, pointer)).rejects.toThrow(words);
});

test('a row beyond the limit is refused before it is held', async () => {
  const text = `[{"a":"${'x'.repeat(limits.fileRowBytes)}"}]`;
  await expect(rowsOf(text, '', 64 * 1024)).rejects.toThrow('Row 1 is longer than 1048576 bytes');
});

test('depth costs nothing beside the list, and is a fault in it at most', async () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  expect(await rowsOf(`{"x":${deep},"a":[{"b":1}]}`, '/a', 64 * 1024)).toEqual([{ b: 1 }]);
  expect(await rowsOf(`[${deep},{"b":1}]`, '', 64 * 1024)).toEqual([expect.any(String), { b: 1 }]);
});

test('a key called __proto__ is only a key', async () => {
  const [row] = await rowsOf('[{"__proto__":{"polluted":true}}]');
  expect(Object.hasOwn(row as object, '__proto__')).toBe(true);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
