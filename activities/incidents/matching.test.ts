import { describe, expect, it } from 'vitest';
import type { IncidentEntity } from '#domain/incidents/record.ts';
import { endingsOf, meantBy } from './matching.ts';

const entities = (...names: string[]): IncidentEntity[] =>
  names.map((qualified_name) => ({ metadata_id: qualified_name, entity_type: 'table', qualified_name }));
const meant = (name: string, ...names: string[]): string[] =>
  meantBy(name, entities(...names)).map(({ qualified_name }) => qualified_name);

describe('whom a name means', () => {
  it('is who is called so, before who ends so', () => {
    expect(meant('sales.orders', 'sales.orders', 'shop.sales.orders')).toEqual(['sales.orders']);
    expect(meant('sales.orders', 'shop.sales.orders', 'shop.archive.orders')).toEqual(['shop.sales.orders']);
    expect(meant('orders', 'a.orders', 'b.orders')).toEqual(['a.orders', 'b.orders']);
  });

  it('does not depend on case, quotes, or what a monitor puts in front', () => {
    expect(meant('snowflake:SHOP.Sales."ORDERS"', 'shop.sales.orders')).toEqual(['shop.sales.orders']);
    expect(meant('snowflake:shop.sales.orders', 'sales.orders', 'orders')).toEqual(['sales.orders']);
  });

  it('is nobody when only a part fits, or when it is too vague', () => {
    expect(meant('sales.orders', 'shop.orders', 'presales.orders', 'sales.orders_old')).toEqual([]);
    expect(meant('orders', ...Array.from({ length: 11 }, (_, index) => `schema_${index}.orders`))).toEqual([]);
    expect(meant('...', 'a.b')).toEqual([]);
  });

  it('is looked for by each ending of the name', () => {
    expect(endingsOf('wh:db.orders')).toEqual(['orders', 'db.orders', 'wh.db.orders', 'wh:db.orders']);
  });
});
