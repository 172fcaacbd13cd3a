import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '#domain/limits.ts';
import { csvRecords } from './csv-scanner.ts';

const comma = { delimiter: ',', quote: '"' };

async function* pieces(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function scan(text: string | Buffer, size = 7, form = comma): Promise<string[][]> {
  const rows: string[][] = [];
  for await (const record of csvRecords(pieces(text, size), form, { offset: 0, row: 0 })) {
    rows.push(Array.from({ length: record.cells }, (_, index) => record.cell(index)));
  }
  return rows;
}

const cell = fc.string({ unit: fc.constantFrom('a', 'ü', '🙂', ',', '"', '\n', '\r', ' ', ''), maxLength: 8 });
const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 8 });
/** With `plain`, quotes stand only where they are needed. */
const written = (rows: string[][], lineEnd: string, plain: boolean): string => {
  const cellOf = (one: string): string => (plain && /^[aü🙂 ]+$/u.test(one) ? one : `"${one.replaceAll('"', '""')}"`);
  return rows.map((row) => row.map(cellOf).join(',')).join(lineEnd);
};

test('what csv-parse reads it reads alike, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      table,
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.integer({ min: 1, max: 20 }),
      fc.boolean(),
      async (rows, lineEnd, size, plain) => {
        const text = written(rows, lineEnd, plain);
        const expected = parse(text, { relax_column_count: true, record_delimiter: [lineEnd] });
        expect(await scan(text, size)).toEqual(expected);
        expect(expected).toEqual(rows);
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

test('a scan can begin at any record, and says where the next begins', async () => {
  const text = 'a,b\n"1\n1",x\r\n\r\n2,"y"\n3,z';
  const whole: { row: number; end: number; blank: boolean }[] = [];
  for await (const { row, end, blank } of csvRecords(pieces(text, 3), comma, { offset: 0, row: 0 })) {
    whole.push({ row, end, blank });
  }
  expect(whole.map(({ row, blank }) => [row, blank])).toEqual([
    [1, false],
    [2, false],
    [3, true],
    [4, false],
    [5, false],
  ]);
  for (const [index, from] of whole.entries()) {
    const rest: number[] = [];
    const content = pieces(Buffer.from(text).subarray(from.end), 2);
    for await (const { row, end } of csvRecords(content, comma, { offset: from.end, row: from.row })) {
      rest.push(row, end);
    }
    expect(rest).toEqual(whole.slice(index + 1).flatMap(({ row, end }) => [row, end]));
  }
});

test.each<[string, string, string[][]]>([
  ['a mark at the beginning is no part of it', '\ufeffa,b\n', [['a', 'b']]],
  ['quotes inside of a cell are characters', 'a 5" pipe,b""\n', [['a 5" pipe', 'b""']]],
  ['the last line may have no end', 'a\nb', [['a'], ['b']]],
  [
    'empty cells',
    ',,\n"",',
    [
      ['', '', ''],
      ['', ''],
    ],
  ],
  ['a quoted empty cell alone is no blank line', '""', [['']]],
])('%s', async (_what, text, rows) => {
  for (const size of [1, 2, 100]) expect(await scan(text, size)).toEqual(rows);
});

test('other characters may stand between and around', async () => {
  expect(await scan(`'a;1';b\tc\n`, 2, { delimiter: ';', quote: `'` })).toEqual([['a;1', 'b\tc']]);
});

test.each<[string, string, string]>([
  ['a cell that is not closed', 'a,b\nc,"d\ne', 'The file ends in row 2, inside of a cell in quotes'],
  ['something behind a closing quote', 'a\n"b"c\n', 'Row 2, cell 1: something stands behind the closing quote'],
  ['a million columns', `${'x,'.repeat(1_000_000)}\n`, 'Row 1 has more than 16384 cells'],
  ['a row beyond the limit', `a\n${'x'.repeat(limits.fileRowBytes + 1)}`, 'Row 2 is longer than 1048576 bytes'],
  ['a cell of that size that is never closed', `a\n"${'x\n'.repeat(limits.fileRowBytes)}`, 'Row 2 is longer than'],
])('%s is refused', async (_what, text, words) => {
  await expect(scan(text, 64 * 1024)).rejects.toThrow(words);
});
