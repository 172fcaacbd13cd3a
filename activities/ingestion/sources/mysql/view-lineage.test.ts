import { expect, test } from 'vitest';
import { relationsOf } from './view-lineage.ts';

const names = (definition: string): string[] =>
  relationsOf(definition).map(({ database, name }) => `${database}/${name}`);

test('relations stand behind FROM and JOIN, through brackets; columns, aliases and strings are none', () => {
  const definition =
    "select `o`.`id` AS `id`,'from `x`.`y`' AS `s` from ((`shop`.`orders` `o` join `shop`.`a``b` on(`o`.`id` = `shop`.`a``b`.`id`)) " +
    'left join (select `crm`.`people`.`id` AS `id` from `crm`.`people`) `p` on(`p`.`id` = `o`.`id`)) where `o`.`x` in (select 1 from `shop`.`c.d`)';
  expect(names(definition)).toEqual(['shop/orders', 'shop/a`b', 'crm/people', 'shop/c.d']);
});

test('a column of three parts and the name of a common table expression are no relations', () => {
  expect(names('with c as (select 1 AS `a`)select extract(year from `d`.`t`.`x`) AS `y` from `c`')).toEqual([]);
});
