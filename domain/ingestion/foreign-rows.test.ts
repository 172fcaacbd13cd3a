import { expect, it } from 'vitest';
import { mapRow, rowsOf } from './foreign-rows.ts';
import { defaultMapping } from './mapping.ts';

const pointing = (records: string) => ({ ...defaultMapping, records });

it('finds the rows: the document, the items of a list, or what the mapping points at', () => {
  expect(rowsOf(undefined, { a: 1 })).toEqual({ ok: true, rows: [{ a: 1 }] });
  expect(rowsOf(undefined, [1, { a: 1 }])).toEqual({ ok: true, rows: [1, { a: 1 }] });
  expect(rowsOf(pointing('/data/items~1all'), { data: { 'items/all': [1, 2] } })).toEqual({ ok: true, rows: [1, 2] });
  expect(rowsOf(pointing('/data'), { data: { x: 1 } })).toEqual({ ok: true, rows: [{ x: 1 }] });
  expect(rowsOf(pointing('/list/1'), { list: ['a', 'b'] })).toEqual({ ok: true, rows: ['b'] });
  expect(rowsOf(pointing('/toString'), {})).toMatchObject({ ok: false });
  expect(
    rowsOf(
      undefined,
      Array.from({ length: 1_001 }, () => 0),
    ),
  ).toMatchObject({ ok: false });
});

it('maps an object by the default mapping, keeps what it does not know, and says why others cannot be mapped', () => {
  expect(mapRow(undefined, { entity_type: 'table', name: 'orders', owner: { team: 'x' } })).toMatchObject({
    ok: true,
    record: { entity_type: 'table', qualified_name: 'orders', attributes: { name: 'orders', owner: { team: 'x' } } },
  });
  expect(mapRow(undefined, { name: 'orders' })).toEqual({ ok: false, detail: 'entity_type is missing' });
  expect(mapRow(undefined, null)).toEqual({ ok: false, detail: 'a row must be an object, not null' });
  expect(mapRow(undefined, ['x'])).toMatchObject({ ok: false });
});
