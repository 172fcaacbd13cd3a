import { expect, test } from 'vitest';
import { applyMapping, defaultMapping, mappingSchema, type Mapping, type Row } from './mapping.ts';

const mapped = (mapping: unknown, row: Row) => applyMapping(mappingSchema.parse(mapping), row);

test('without a mapping, a row with Lily’s own names becomes an entity, and keeps what it holds besides', () => {
  const row = {
    entity_type: 'table',
    name: 'orders',
    tags: 'finance, pii',
    parent_type: 'schema',
    parent: 'w.sales',
    owner: 'ada',
    note: '',
  };
  expect(applyMapping(defaultMapping, row)).toEqual({
    ok: true,
    record: {
      op: 'upsert',
      entity_type: 'table',
      qualified_name: 'w.sales.orders',
      attributes: { name: 'orders', tags: ['finance', 'pii'], owner: 'ada' },
      parent: { entity_type: 'schema', qualified_name: 'w.sales' },
    },
  });
});

test('columns, pointers, constants, defaults, lists and conversions', () => {
  const mapping = {
    entity_type: { value: 'table' },
    qualified_name: '/id/full',
    attributes: {
      name: 'Table Name',
      rows: { path: 'rows', as: 'number' },
      live: { path: 'live', as: 'boolean', default: true },
      spec: { path: 'spec', as: 'json' },
      tags: { path: 'labels', split: ';' },
    },
    upstream: [{ entity_type: { value: 'table' }, qualified_name: { path: 'from', split: ',' } }],
  };
  const row = {
    id: { full: 'w.orders' },
    'Table Name': 'orders',
    rows: '1e3',
    spec: '{"a":[1]}',
    labels: 'a;; b',
    from: 'x, y',
  };
  expect(mapped(mapping, row)).toEqual({
    ok: true,
    record: {
      op: 'upsert',
      entity_type: 'table',
      qualified_name: 'w.orders',
      attributes: { name: 'orders', rows: 1000, live: true, spec: { a: [1] }, tags: ['a', 'b'] },
      upstream: [
        { entity_type: 'table', qualified_name: 'x' },
        { entity_type: 'table', qualified_name: 'y' },
      ],
    },
  });
});

const simple: Mapping = {
  entity_type: { value: 'table' },
  attributes: { name: 'name', n: { path: 'n', as: 'number' } },
};

test.each<[Row, string]>([
  [{}, 'name is missing'],
  [{ name: '' }, 'name is missing'],
  [{ name: ['a'] }, 'name must be a text, not a list'],
  [{ name: 'a', n: '12,5' }, 'n is not a number: "12,5"'],
  [{ name: 'a\u0000' }, 'qualified_name may not contain the NUL character'],
])('%j is refused: %s', (row, words) => {
  const result = applyMapping(simple, row);
  expect(result.ok ? '' : result.detail).toContain(words);
});

test('a column called __proto__ is only a column', () => {
  const row = JSON.parse('{"name":"a","__proto__":{"polluted":true}}') as Row;
  const result = applyMapping({ ...simple, rest: true }, row);
  expect(result).toMatchObject({ ok: false });
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test.each([
  { entity_type: 'a', attributes: { description: 'b' } },
  { entity_type: { path: 'a', other: 1 }, attributes: { name: 'b' } },
  { entity_type: 'a', attributes: { name: 'b' }, more: 1 },
])('the mapping %j is refused', (mapping) => {
  expect(mappingSchema.safeParse(mapping).success).toBe(false);
});
