import { expect, test } from 'vitest';
import { jsonKind } from './json-kind.ts';
import { FieldTree } from './field-tree.ts';

const treeOf = (...documents: unknown[]): FieldTree => {
  const tree = new FieldTree(jsonKind);
  for (const document of documents) tree.add(document);
  return tree;
};
const told = (tree: FieldTree): unknown[] =>
  [...tree.fields()].map(({ path, types, itemTypes, documents }) => [
    path.join('/'),
    Object.fromEntries(types),
    documents,
    ...(itemTypes.size === 0 ? [] : [Object.fromEntries(itemTypes)]),
  ]);

test('nested members, documents in arrays, and types with how often they occur', () => {
  const tree = treeOf({ b: { 'c.d': 1 }, a: [{ $x: 'y' }, { $x: null }, 3] }, { a: 'text' });
  expect(told(tree)).toEqual([
    ['a', { array: 1, string: 1 }, 2, { object: 2, integer: 1 }],
    ['a/$x', { string: 1, null: 1 }, 1],
    ['b', { object: 1 }, 1],
    ['b/c.d', { integer: 1 }, 1],
  ]);
  expect(tree.isCut).toBe(false);
  expect(tree.has(['b', 'c.d'])).toBe(true);
  expect(tree.has(['b', 'c'])).toBe(false);
});

test('documents without end are cut, and say so', () => {
  const wide = treeOf(Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`k${at}`, at])));
  expect([...wide.fields()]).toHaveLength(2_000);
  expect(wide.isCut).toBe(true);
  let deep: unknown = 1;
  for (let level = 0; level < 5_000; level += 1) deep = { a: deep };
  expect([...treeOf(deep).fields()]).toHaveLength(20);
  let arrays: unknown = { a: 1 };
  for (let level = 0; level < 50_000; level += 1) arrays = [arrays];
  expect(treeOf(arrays).isCut).toBe(true);
});

test('names that cannot be kept are left out; those that JavaScript has a meaning for are not', () => {
  const tree = treeOf(JSON.parse('{"a\\u0000b": 1, "\\ud800": 2, "__proto__": {"constructor": 3}, "": 4}'));
  expect(told(tree)).toEqual([
    ['', { integer: 1 }, 1],
    ['__proto__', { object: 1 }, 1],
    ['__proto__/constructor', { integer: 1 }, 1],
  ]);
  expect(tree.isCut).toBe(true);
});
