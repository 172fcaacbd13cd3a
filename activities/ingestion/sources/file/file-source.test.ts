import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { limits } from '#domain/limits.ts';
import { readFile, type FilePlan } from '#test/support/read-file.ts';
import { workbookParts, zipOf, type WorkbookPlan, type ZipPart } from '#test/support/zip-writer.ts';

const two = [
  { entity_type: 'table', qualified_name: 'w.orders', attributes: { name: 'orders', tags: ['pii', 'sales'] } },
  { entity_type: 'table', qualified_name: 'w.küche', attributes: { name: 'küche' } },
];
const csv = 'entity_type,qualified_name,name,tags\ntable,w.orders,orders,"pii,sales"\ntable,w.küche,küche,\n';
const list = [
  { entity_type: 'table', qualified_name: 'w.orders', name: 'orders', tags: ['pii', 'sales'] },
  { entity_type: 'table', qualified_name: 'w.küche', name: 'küche' },
];
const xml = `<?xml version="1.0"?><all>${list
  .map(({ tags = [], ...row }) => {
    const fields = Object.entries(row).map(([key, value]) => `<${key}>${value}</${key}>`);
    return `<row>${fields.join('')}${tags.map((tag) => `<tags>${tag}</tags>`).join('')}</row>`;
  })
  .join('\n')}</all>`;
const text = (cell: string, value: string): string => `<c r="${cell}" t="inlineStr"><is><t>${value}</t></is></c>`;
const sheetOf = (rows: string[][]): string =>
  rows
    .map((cells, index) => {
      const written = cells.map((value, column) => text(`${'ABCDEFG'[column]}${index + 1}`, value));
      return `<row r="${index + 1}">${written.join('')}</row>`;
    })
    .join('');
const workbook = (plan: WorkbookPlan): Buffer => zipOf(workbookParts(plan));
const xlsx = workbook({
  sheets: {
    Notes: sheetOf([['nothing', 'here']]),
    Tables: sheetOf([
      ['entity_type', 'qualified_name', 'name', 'tags'],
      ['table', 'w.orders', 'orders', 'pii,sales'],
      ['table', 'w.küche', 'küche'],
    ]),
  },
});

const utf16 = (content: string): Buffer => Buffer.from(`\ufeff${content}`, 'utf16le');

describe('the same two tables', () => {
  test.each<[string, FilePlan]>([
    ['CSV', { format: 'csv', content: csv }],
    [
      'CSV with a byte order mark and other line ends',
      { format: 'csv', content: `\ufeff${csv.replaceAll('\n', '\r\n')}` },
    ],
    ['CSV, compressed', { format: 'csv', content: gzipSync(csv) }],
    ['CSV in UTF-16, by its mark', { format: 'csv', content: utf16(csv) }],
    ['CSV in UTF-16, as declared', { format: 'csv', encoding: 'utf-16le', content: Buffer.from(csv, 'utf16le') }],
    ['CSV in Latin-1, as declared', { format: 'csv', encoding: 'latin1', content: Buffer.from(csv, 'latin1') }],
    [
      'CSV with tabs',
      {
        format: 'csv',
        delimiter: '\t',
        quote: "'",
        content: csv.replaceAll(',', '\t').replaceAll('"', "'").replace('pii\tsales', 'pii,sales'),
      },
    ],
    ['NDJSON', { format: 'ndjson', content: list.map((row) => JSON.stringify(row)).join('\n') }],
    ['JSON', { format: 'json', content: JSON.stringify(list, null, 2) }],
    [
      'JSON below a pointer',
      { format: 'json', records: '/data/items', content: JSON.stringify({ data: { items: list } }) },
    ],
    ['JSON, compressed, in UTF-16', { format: 'json', content: gzipSync(utf16(JSON.stringify(list))) }],
    ['XML', { format: 'xml', content: xml }],
    [
      'XML by the name of its rows, in Latin-1',
      {
        format: 'xml',
        records: 'row',
        content: Buffer.from(
          xml.replace('?>', ' encoding="iso-8859-1"?>').replace('<all>', '<a><b>').replace('</all>', '</b></a>'),
          'latin1',
        ),
      },
    ],
    ['XLSX', { format: 'xlsx', sheet: 'Tables', content: xlsx }],
    ['XLSX by the number of the sheet', { format: 'xlsx', sheet: 2, content: xlsx }],
  ])('in %s', async (_form, plan) => {
    for (const pageSize of [1_000, 1]) {
      const { records, rejects, pages } = await readFile({ ...plan, pageSize });
      expect(rejects).toEqual([]);
      expect(records).toEqual(two);
      expect(pages).toBe(pageSize === 1 ? 2 : 1);
    }
  });
});

test('pages of a large table begin where the one before ended, whatever the pieces are', async () => {
  const rows = Array.from({ length: 500 }, (_, index) => `"t,""${index}""\n",${'x'.repeat(index % 70)},w.${index}`);
  const content = `name,other,qn\r\n${rows.join('\r\n')}\r\n`;
  const mapping = { entity_type: { value: 'table' }, qualified_name: 'qn', attributes: { name: 'name' } };
  const whole = await readFile({ format: 'csv', content, mapping });
  expect(whole.records).toHaveLength(500);
  expect(whole.records[499]).toEqual({
    entity_type: 'table',
    qualified_name: 'w.499',
    attributes: { name: 't,"499"\n' },
  });
  for (const [pageSize, pieceBytes] of [
    [7, 13],
    [50, 1_000_000],
    [499, 1],
  ] as const) {
    const paged = await readFile({ format: 'csv', content, mapping, pageSize, pieceBytes });
    expect(paged.records).toEqual(whole.records);
    expect(paged.pages).toBe(Math.ceil(500 / pageSize));
  }
});

test.each<[string, FilePlan, string]>([
  ['csv', { format: 'csv', content: 'entity_type,name\na,1\n\na,2\n\n\na,3\na,\n' }, 'row 8: name is missing'],
  [
    'ndjson',
    { format: 'ndjson', content: '{"entity_type":"a","name":"1"}\n\n{"entity_type":"a","name":"2"}\n\n{}' },
    'row 5',
  ],
  ['json', { format: 'json', content: '[{"entity_type":"a","name":"1"},{"entity_type":"a","name":"2"},{}]' }, 'row 3'],
])('a row has the same number on whatever page it stands: %s', async (_format, plan, words) => {
  for (const pageSize of [1, 2, 100]) {
    const { rejects } = await readFile({ ...plan, pageSize });
    expect(rejects.map(({ detail }) => detail)).toEqual([expect.stringContaining(words)]);
  }
});

test('a page is bounded by bytes as well as by rows', async () => {
  const rows = Array.from({ length: 40 }, (_, index) =>
    JSON.stringify({ entity_type: 'a', name: `n${index}`, x: 'y'.repeat(400_000) }),
  );
  const { records, pages } = await readFile({ format: 'ndjson', content: rows.join('\n'), pieceBytes: 1_000_000 });
  expect(records).toHaveLength(40);
  expect(pages).toBe(Math.ceil((40 * 400_000) / limits.filePageRecordBytes));
});

test('a page of a wide table of which little is taken is bounded by what it reads', async () => {
  const filler = 'x'.repeat(100_000);
  const rows = Array.from({ length: 400 }, (_, index) => `n${index},${filler}`);
  const mapping = { entity_type: { value: 'table' }, attributes: { name: 'name' } };
  const { records, pages } = await readFile({
    format: 'csv',
    content: `name,filler\n${rows.join('\n')}\n`,
    mapping,
    pieceBytes: 1 << 20,
  });
  expect(records).toHaveLength(400);
  expect(pages).toBe(2);
});

test('of a rejected row the beginning is kept', async () => {
  const content = `entity_type,x\ntable,${'y'.repeat(2 * limits.rejectedRowBytes)}\n`;
  const { rejects } = await readFile({ format: 'csv', content, pieceBytes: 1 << 20 });
  expect(rejects).toHaveLength(1);
  expect(rejects[0]?.body.length).toBe(limits.rejectedRowBytes + 1);
});

test('a record beyond what any record may have is rejected with its row', async () => {
  const content = JSON.stringify({ entity_type: 'table', name: 'a', x: 'y'.repeat(limits.recordBytes) });
  const { rejects } = await readFile({ format: 'ndjson', content, pieceBytes: 1 << 20 });
  expect(rejects[0]?.detail).toBe(`row 1: makes a record of more than ${limits.recordBytes} bytes`);
});

test('each row that cannot be taken is named with its number and its reason', async () => {
  const content = [
    'entity_type,name,rows',
    'table,a,1',
    'table,b',
    '',
    'table,,3',
    '"1 table",d,4',
    'table,e,5,6',
    `table,${'x'.repeat(2_000)},7`,
    'table,=cmd|calc!A1,8',
  ].join('\n');
  const { records, rejects, incomplete } = await readFile({ format: 'csv', content });
  // A formula is a text like any other on its way in.
  expect(records.map(({ attributes }) => attributes?.name)).toEqual(['a', '=cmd|calc!A1']);
  expect(rejects.map(({ detail }) => detail)).toEqual([
    'row 3: has 2 cells, and the header 3',
    'row 5: name is missing',
    expect.stringContaining('row 6: entity_type must start with a letter'),
    'row 7: has 4 cells, and the header 3',
    expect.stringContaining('row 8: '),
  ]);
  expect(rejects[0]?.body).toBe('["table","b"]');
  expect(JSON.parse(rejects[1]?.body ?? '')).toEqual({ entity_type: 'table', name: '', rows: '3' });
  expect(incomplete).toEqual([]);
});

describe('a snapshot', () => {
  const snapshot = { format: 'csv', mode: 'snapshot', name: 'erp' };
  test('with rejected rows, or without any, proves nothing', async () => {
    const some = await readFile({ ...snapshot, content: 'entity_type,name\ntable,a\ntable,\n' });
    expect(some.incomplete).toEqual(['row 3: name is missing']);
    const none = await readFile({ ...snapshot, content: 'entity_type,name\n' });
    expect(none).toMatchObject({ records: [], rejects: [], incomplete: ['The file has no rows.'] });
    const all = await readFile({ ...snapshot, content: 'entity_type,name\ntable,a\n' });
    expect(all.incomplete).toEqual([]);
  });
});

describe('XLSX', () => {
  const mapping = { entity_type: { value: 'table' }, attributes: { name: 'name' }, rest: true };
  const header = `<row r="1">${['name', 'value'].map((name, index) => text(`${'AB'[index]}1`, name)).join('')}</row>`;
  const read = (cell: string, plan: Partial<WorkbookPlan> = {}) =>
    readFile({
      format: 'xlsx',
      mapping,
      content: workbook({ sheets: { One: `${header}<row r="7">${text('A7', 'x')}${cell}</row>` }, ...plan }),
    });
  const value = async (cell: string, plan?: Partial<WorkbookPlan>): Promise<unknown> =>
    (await read(cell, plan)).records[0]?.attributes?.['value'];

  test.each<[string, string, unknown, Partial<WorkbookPlan>?]>([
    ['a number', '<c r="B7"><v>1.5E2</v></c>', 150],
    [
      'a text that is shared, in runs',
      '<c r="B7" t="s"><v>1</v></c>',
      'ab ü',
      { sharedTexts: ['<t>x</t>', '<r><t>ab</t></r><r><t xml:space="preserve"> ü</t></r><rPh><t>no</t></rPh>'] },
    ],
    ['true', '<c r="B7" t="b"><v>1</v></c>', true],
    ['a formula: what it gave', '<c r="B7" t="str"><f>HYPERLINK("http://x")</f><v>=1+1</v></c>', '=1+1'],
    ['an error', '<c r="B7" t="e"><v>#REF!</v></c>', '#REF!'],
    ['an escaped text', text('B7', '&lt;a&gt; &amp;'), '<a> &'],
    ['a date', '<c r="B7" s="0"><v>45322</v></c>', '2024-01-31', { styles: ['yyyy\\-mm\\-dd'] }],
    ['a date of 1904', '<c r="B7" s="0"><v>0</v></c>', '1904-01-01', { styles: ['dd/mm/yy'], date1904: true }],
    ['a date with a time', '<c r="B7" s="0"><v>45322.75</v></c>', '2024-01-31T18:00:00', { styles: ['d.m.yy h:mm'] }],
    ['a time', '<c r="B7" s="0"><v>0.5</v></c>', '12:00:00', { styles: ['[h]:mm'] }],
    [
      'the days before the leap day that never was',
      '<c r="B7" s="0"><v>59</v></c>',
      '1900-02-28',
      { styles: ['d/m/y'] },
    ],
    ['a number with a unit', '<c r="B7" s="0"><v>3</v></c>', 3, { styles: ['0.00" days"[$-409]'] }],
  ])('%s', async (_what, cell, expected, plan) => {
    expect(await value(cell, plan)).toEqual(expected);
  });

  test.each<[string, string, Partial<WorkbookPlan>]>([
    ['a negative date', '<v>-1</v>', {}],
    ['a negative date of 1904', '<v>-1</v>', { date1904: true }],
    ['the 29th of February 1900', '<v>60</v>', {}],
    ['a date beyond the year 9999', '<v>2958466</v>', {}],
  ])('%s is a fault of its row', async (_what, v, plan) => {
    const { records, rejects } = await read(`<c r="B7" s="0">${v}</c>`, { styles: ['yyyy-mm-dd'], ...plan });
    expect(records).toEqual([]);
    expect(rejects[0]?.detail).toMatch(/^row 7: cell B7 has the format of a date, and -?\d+ is none$/);
  });
});

const part = (name: string, content: string | Buffer, more: Partial<ZipPart> = {}): ZipPart => ({
  name,
  content,
  ...more,
});
const laughs = (target: string): string =>
  `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]><${target}><row><name>&b;&c;</name></row></${target}>`;
const damagedGzip = gzipSync(Array.from({ length: 5_000 }, (_, index) => `${index * 7_919}`).join()).fill(
  0xff,
  500,
  600,
);
/** A million characters that do not pack well. */
const noise = randomBytes(500_000).toString('hex');
const zeros = '0'.repeat(64 * 1024 * 1024);
const plain = workbookParts({ sheets: { One: sheetOf([['name'], ['x']]) } });
const without = (name: string): ZipPart[] => plain.filter((one) => one.name !== name);
const sheet = 'xl/worksheets/sheet1.xml';

describe('a hostile or broken file is refused before anything of it is read as a record', () => {
  test.each<[string, FilePlan, string]>([
    ['an empty CSV', { format: 'csv', content: '' }, 'The file is empty'],
    ['an empty XLSX', { format: 'xlsx', content: '' }, 'The file is empty'],
    ['an empty gzip', { format: 'csv', content: gzipSync('') }, 'The file is empty'],
    ['blank lines alone', { format: 'csv', content: '\n\n' }, 'The file has no header'],
    [
      'two columns of one name',
      { format: 'csv', content: 'a,b,a\n' },
      'Row 1: the columns 1 and 3 have the same name, "a"',
    ],
    ['a header of nothing', { format: 'csv', content: ',,\n' }, 'Row 1: no column has a name'],
    ['a million columns', { format: 'csv', content: `${'x,'.repeat(1_000_000)}\n` }, 'Row 1 has more than 16384 cells'],
    [
      'a field of 100 MB',
      { format: 'csv', content: `a\n"${'x'.repeat(100_000_000)}"`, pieceBytes: 1 << 20 },
      'Row 2 is longer than 1048576 bytes',
    ],
    [
      'a line of 100 MB',
      { format: 'ndjson', content: `{"a":"${'x'.repeat(100_000_000)}"}`, pieceBytes: 1 << 20 },
      'Line 1 is longer than 1048576 bytes',
    ],
    [
      'a text of 100 MB in JSON',
      { format: 'json', content: `[{"a":"${'x'.repeat(100_000_000)}"}]`, pieceBytes: 1 << 20 },
      'Row 1 is longer than',
    ],
    [
      'a text of 100 MB in XML',
      { format: 'xml', content: `<a><r>${'x'.repeat(100_000_000)}</r></a>`, pieceBytes: 1 << 20 },
      'Row 1 is longer than',
    ],
    [
      'an attribute of 1 MB in XML',
      { format: 'xml', content: `<a><r x="${'x'.repeat(1_000_000)}"/></a>`, pieceBytes: 1 << 20 },
      'not well-formed: Max buffer length exceeded',
    ],
    [
      'deep XML',
      { format: 'xml', content: `${'<a>'.repeat(1_000)}${'</a>'.repeat(1_000)}` },
      'nested deeper than 64 levels',
    ],
    [
      'bytes that are no UTF-8',
      { format: 'csv', content: Buffer.from(`name\na\nküche\n`, 'latin1') },
      'The file is not UTF-8: line 3, byte 8 breaks it',
    ],
    [
      'a character cut off at the end',
      { format: 'csv', content: Buffer.from('name\nkü').subarray(0, 7) },
      'line 2, byte 6',
    ],
    [
      'UTF-16 without a mark',
      { format: 'csv', content: Buffer.from('name\na\n', 'utf16le') },
      'The NUL character stands in line 1, byte 1',
    ],
    ['UTF-16 cut off', { format: 'csv', content: utf16('name\na').subarray(0, 13) }, 'The file is not utf-16le'],
    [
      'a mark that says otherwise',
      { format: 'csv', encoding: 'latin1', content: utf16('name\na') },
      'begins with the byte order mark of utf-16le',
    ],
    ['a NUL', { format: 'csv', content: 'name\na\u0000b\n' }, 'The NUL character stands in line 2, byte 6'],
    ['a CSV cut off inside of quotes', { format: 'csv', content: 'name\n"a' }, 'The file ends in row 2'],
    [
      'a gzip cut off',
      { format: 'csv', content: gzipSync(csv.repeat(100)).subarray(0, 80) },
      'The gzip content is cut short',
    ],
    ['a gzip that is damaged', { format: 'csv', content: damagedGzip }, 'The gzip content is damaged'],
    [
      'a gzip bomb',
      { format: 'csv', content: gzipSync(`a\n${zeros}`), pieceBytes: 1 << 20 },
      'unpacks to more than 200 times its size',
    ],
    ['a JSON cut off', { format: 'json', content: '[{"name":"a"},{"na' }, 'The JSON is cut short behind row 1'],
    ['an XML cut off', { format: 'xml', content: '<a><r><name>x</name></r>' }, 'not well-formed: Unclosed root tag'],
    ['billion laughs and external entities', { format: 'xml', content: laughs('a') }, 'The XML has a DOCTYPE'],
    [
      'an entity of HTML',
      { format: 'xml', content: '<a><r>&nbsp;</r></a>' },
      'not well-formed: Invalid character entity',
    ],
    [
      'an XML in an encoding that nobody knows',
      { format: 'xml', content: '<?xml version="1.0" encoding="EBCDIC-X"?><a/>' },
      'in the encoding EBCDIC-X',
    ],
    ['an XLSX called CSV', { format: 'csv', content: xlsx }, 'This is a ZIP archive, and not csv'],
    ['a CSV called XLSX', { format: 'xlsx', content: csv }, 'The archive cannot be read'],
    ['an XLSX cut off', { format: 'xlsx', content: xlsx.subarray(0, xlsx.length - 200) }, 'The archive cannot be read'],
    ['a ZIP that is no workbook', { format: 'xlsx', content: zipOf([part('a.txt', 'a')]) }, 'This is no XLSX workbook'],
    [
      'a workbook without the sheet',
      { format: 'xlsx', sheet: 'Three', content: xlsx },
      'There is no sheet "Three"; there are: "Notes", "Tables"',
    ],
    ['a sheet that is not in the file', { format: 'xlsx', content: zipOf(without(sheet)) }, 'is not in the file'],
    [
      'a zip bomb',
      {
        format: 'xlsx',
        content: zipOf([...without(sheet), part(sheet, `<worksheet>${zeros}</worksheet>`)]),
        pieceBytes: 1 << 20,
      },
      'unpacks to more than 200 times its size',
    ],
    [
      'a part that is longer than it says',
      {
        format: 'xlsx',
        content: zipOf([...without(sheet), part(sheet, zeros, { claimedBytes: 100 })]),
        pieceBytes: 1 << 20,
      },
      'The archive cannot be read: too many bytes',
    ],
    [
      'a name that climbs out',
      { format: 'xlsx', content: zipOf([...plain, part('../../etc/cron.d/x', 'x')]) },
      'The archive cannot be read: invalid relative path',
    ],
    [
      'a name that is a place',
      { format: 'xlsx', content: zipOf([...plain, part('/etc/passwd', 'x')]) },
      'The archive cannot be read: absolute path',
    ],
    ['two parts of one name', { format: 'xlsx', content: zipOf([...plain, ...plain]) }, 'two files of the same name'],
    [
      'very many parts',
      {
        format: 'xlsx',
        content: zipOf([...plain, ...Array.from({ length: 10_001 }, (_, index) => part(`${index}`, ''))]),
        pieceBytes: 1 << 20,
      },
      'more than 10000 files',
    ],
    [
      'entities inside of a workbook',
      { format: 'xlsx', content: zipOf([...without(sheet), part(sheet, laughs('worksheet'))]) },
      'The XML has a DOCTYPE',
    ],
    [
      'texts of cells beyond what memory is for',
      {
        format: 'xlsx',
        content: workbook({ sheets: { One: '' }, sharedTexts: Array.from({ length: 34 }, () => `<t>${noise}</t>`) }),
        pieceBytes: 1 << 20,
      },
      'have more than 33554432 characters in all',
    ],
    [
      'a cell far to the right',
      { format: 'xlsx', content: workbook({ sheets: { One: `<row r="1">${text('XFE1', 'x')}</row>` } }) },
      'Row 1 has a cell at XFE1, which cannot be',
    ],
    [
      'a row far below',
      { format: 'xlsx', content: workbook({ sheets: { One: '<row r="1048577"/>' } }) },
      'has the number 1048577',
    ],
    [
      'rows out of order',
      { format: 'xlsx', content: workbook({ sheets: { One: '<row r="2"/><row r="1"/>' } }) },
      'The row behind row 2 has the number 1',
    ],
  ])(
    '%s',
    async (_what, plan, words) => {
      await expect(readFile(plan)).rejects.toMatchObject({
        code: 'source-invalid',
        message: expect.stringContaining(words) as string,
      });
    },
    60_000,
  );

  test('macros and links are in the file, and are never opened', async () => {
    const content = zipOf([
      ...workbookParts({
        sheets: {
          One: sheetOf([
            ['entity_type', 'name'],
            ['table', 'x'],
          ]),
        },
      }),
      part('xl/vbaProject.bin', Buffer.from('d0cf11e0', 'hex')),
      part('xl/externalLinks/externalLink1.xml', laughs('externalLink')),
    ]);
    expect((await readFile({ format: 'xlsx', content })).records).toHaveLength(1);
  });
});

test.each(['ndjson', 'json', 'json.gz'])(
  'a row of %s that is nested too deeply is rejected, and no other',
  async (form) => {
    const deep = `{"entity_type":"table","qualified_name":"w.deep","name":"${'['.repeat(100)}","x":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    const rows = [JSON.stringify(list[0]), deep, JSON.stringify(list[1])];
    const content = form === 'ndjson' ? rows.join('\n') : `[${rows.join(',')}]`;
    const packed = form === 'json.gz' ? gzipSync(content) : content;
    const { records, rejects } = await readFile({ format: form === 'ndjson' ? form : 'json', content: packed });
    expect(records).toEqual(two);
    expect(rejects).toEqual([{ detail: 'row 2: is nested deeper than 64 levels', body: deep }]);
  },
);

test('brackets in a text are no levels', async () => {
  const name = `${'[{'.repeat(100)}\\" \\`;
  const content = JSON.stringify({ entity_type: 'table', qualified_name: 'w.t', name });
  expect((await readFile({ format: 'ndjson', content })).records).toMatchObject([{ attributes: { name } }]);
});
