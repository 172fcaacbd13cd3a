import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EntryScanner, JsonFault, type JsonEntry, type ScanPlace, type ScanRequest } from './entry-scanner.ts';

const everything: ScanRequest = { section: () => 'members', maxEntryBytes: 1_000_000 };

function scan(document: string | Uint8Array, request = everything, chunkBytes = 7, from?: ScanPlace): JsonEntry[] {
  const bytes = (typeof document === 'string' ? new TextEncoder().encode(document) : document).subarray(
    from?.offset ?? 0,
  );
  const scanner = new EntryScanner(request, from);
  const entries: JsonEntry[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const entry of scanner.push(bytes.subarray(at, at + chunkBytes))) entries.push(entry);
  }
  scanner.end();
  return entries;
}

/** What a parser that reads the whole document would call its entries. */
function expected(document: Record<string, unknown>): [string, string, unknown][] {
  return Object.entries(document).flatMap(([section, value]): [string, string, unknown][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, member]) => [section, key, member])
      : [[section, '', value]],
  );
}

const seen = (entries: JsonEntry[]): [string, string, unknown][] =>
  entries.map(({ section, key, text }) => [section, key, JSON.parse(text)]);

const anyDocument = fc.dictionary(
  fc.string({ unit: 'grapheme' }),
  fc.jsonValue({ noUnicodeString: false, maxDepth: 4 }),
);

describe('the entries of a document', () => {
  test('are what a whole parser finds, whatever the chunks and the spaces', () => {
    fc.assert(
      fc.property(anyDocument, fc.nat(40), fc.constantFrom(undefined, 1, '\t'), (document, chunk, indent) => {
        const text = JSON.stringify(document, null, indent);
        expect(seen(scan(text, everything, chunk + 1))).toEqual(expected(JSON.parse(text)));
      }),
    );
  });

  test('are the rest of them when reading goes on after any of them', () => {
    fc.assert(
      fc.property(anyDocument, fc.nat(40), (document, chunk) => {
        const text = JSON.stringify(document);
        const all = scan(text);
        for (const [index, { next }] of all.entries()) {
          if (next !== undefined) expect(scan(text, everything, chunk + 1, next)).toEqual(all.slice(index + 1));
        }
      }),
    );
  });

  test('are only those that were asked for', () => {
    const document = { nodes: { a: [1], b: { c: ']}"' } }, macros: { m: '{{' }, metadata: { v: 1 }, results: [7, 8] };
    const request: ScanRequest = {
      section: (name) => (name === 'macros' ? 'skip' : name === 'metadata' ? 'whole' : 'members'),
      member: (section, key) => section !== 'nodes' || key === 'b',
      maxEntryBytes: 100,
    };
    expect(seen(scan(JSON.stringify(document), request))).toEqual([
      ['nodes', 'b', { c: ']}"' }],
      ['metadata', '', { v: 1 }],
      ['results', '0', 7],
      ['results', '1', 8],
    ]);
  });
});

describe('a document that is not right', () => {
  test.each([
    ['', 'is empty'],
    ['  ', 'is empty'],
    ['<html>', 'does not begin with {'],
    ['[1]', 'does not begin with {'],
    ['{"nodes":{"a":{"x":1}', 'ends in the middle'],
    ['{"nodes":{"a":"x', 'ends in the middle'],
    ['{"nodes":{}', 'ends in the middle'],
    ['{"nodes":{}} {}', 'goes on after its end'],
    ['{"nodes":{},}', 'something is wrong at byte 12'],
    ['{"nodes":[}', 'something is wrong'],
    ['{"nodes" {}}', 'something is wrong at byte 9'],
    ['{nodes:{}}', 'something is wrong at byte 1'],
    ['{"nodes":}', 'something is wrong'],
    ['{"nodes":{},"nodes":{}}', 'has two sections "nodes"'],
    ['{"no\ndes":{}}', 'has a key that is no text'],
    [`{"nodes":{"a":"${'x'.repeat(200)}"}}`, 'has "a" of more than 100 bytes'],
    [`{"${'x'.repeat(200)}":1}`, 'has a key of more than 100 bytes'],
  ])('%j: %s', (document, fault) => {
    expect(() => scan(document, { ...everything, maxEntryBytes: 100 })).toThrow(JsonFault);
    expect(() => scan(document, { ...everything, maxEntryBytes: 100 })).toThrow(fault);
  });

  test('is said to be no UTF-8 when it is not', () => {
    expect(() => scan(Uint8Array.from([...Buffer.from('{"a":{"b":"'), 0xff, ...Buffer.from('"}}')]))).toThrow(
      'is not UTF-8 text',
    );
  });

  test('cut anywhere never passes for whole', () => {
    const text = JSON.stringify({ nodes: { 'model.a': { x: '"\\"}' } }, results: [1, { y: 2 }], done: true });
    for (let length = 0; length < text.length; length += 1) {
      expect(() => scan(text.slice(0, length)), text.slice(0, length)).toThrow(JsonFault);
    }
  });
});
