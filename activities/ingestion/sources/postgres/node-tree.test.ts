import { expect, test } from 'vitest';
import { nodeOf, NodeTreeError, parseNodeTree } from './node-tree.ts';

const fieldsOf = (text: string) => Object.fromEntries(nodeOf(parseNodeTree(text)).fields);

test('atoms, lists, nothing, and nodes within nodes', () => {
  expect(fieldsOf('{A :x 1 :y <> :z (i 1 2) :w ({B :v true} <>)}')).toEqual({
    x: '1',
    y: null,
    z: ['i', '1', '2'],
    w: [{ tag: 'B', fields: new Map([['v', 'true']]) }, null],
  });
});

test('names may look like syntax: escapes, quotes, colons', () => {
  expect(fieldsOf(String.raw`{A :x \<> :y :colon :z ("a\ b" "" "q"uote" "\{\)") :w a\\b}`)).toEqual({
    x: '<>',
    y: ':colon',
    z: ['a b', '', 'q"uote', '{)'],
    w: 'a\\b',
  });
});

test("a constant's bytes are passed over", () => {
  expect(fieldsOf('{CONST :constvalue 4 [ 1 0 -3 0 ] :location -1}')).toEqual({ constvalue: '4', location: '-1' });
});

test('ten thousand levels are no problem', () => {
  const depth = 10_000;
  expect(parseNodeTree(`${'('.repeat(depth)}${')'.repeat(depth)}`)).toBeInstanceOf(Array);
});

test.each(['', '(', '{A :x', ')', '{A 1}}', '(}', '{A (1)}', '1 2'])('%j is refused', (text) => {
  expect(() => parseNodeTree(text)).toThrow(NodeTreeError);
});
