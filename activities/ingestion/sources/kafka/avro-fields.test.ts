import { expect, test } from 'vitest';
import { avroFields, avroName } from './avro-fields.ts';

const order = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long', doc: 'The number' },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A'] } },
    {
      name: 'lines',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Line',
          fields: [
            { name: 'sku', type: 'string' },
            { name: 'kind', type: 'Kind' },
          ],
        },
      },
    },
    { name: 'first', type: ['null', 'Line'] },
    { name: 'by', type: { type: 'map', values: 'shop.Line' } },
    { name: 'parent', type: ['null', 'Order'] },
  ],
};

test('records, unions, arrays, maps and names become fields', () => {
  expect(avroName(order)).toBe('shop.Order');
  expect(
    avroFields(order).map(({ path, type, nullable }) => `${path.join('/')}: ${type}${nullable ? '?' : ''}`),
  ).toEqual([
    'id: long',
    'at: long (timestamp-millis)',
    'note: string?',
    'kind: shop.Kind',
    'lines: array<shop.Line>',
    'lines/sku: string',
    'lines/kind: Kind',
    'first: Line?',
    'first/sku: string',
    'first/kind: Kind',
    'by: map<shop.Line>',
    'by/sku: string',
    'by/kind: Kind',
    'parent: Order?',
  ]);
  expect(avroFields(order)[0]?.doc).toBe('The number');
});

test('a schema without fields, and nonsense, have none', () => {
  for (const schema of [
    'string',
    null,
    3,
    [],
    {},
    { type: 'record' },
    { type: 'record', name: 'x', fields: [null, { name: 3 }] },
  ]) {
    expect(avroFields(schema)).toEqual([]);
  }
});

test('a schema without end is cut', () => {
  let deep: unknown = 'int';
  for (let level = 0; level < 3_000; level += 1)
    deep = { type: 'record', name: `r${level}`, fields: [{ name: 'a', type: deep }] };
  expect(avroFields(deep)).toHaveLength(20);
  let arrays: unknown = 'int';
  for (let level = 0; level < 3_000; level += 1) arrays = { type: 'array', items: arrays };
  expect(avroName(arrays).length).toBeLessThanOrEqual(500);
  const wide = Array.from({ length: 5_000 }, (_, at) => ({ name: `f${at}`, type: 'int' }));
  expect(avroFields({ type: 'record', name: 'w', fields: wide })).toHaveLength(2_000);
});
