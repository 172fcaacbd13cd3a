import { expect, test } from 'vitest';
import { viewSources } from './view-lineage.ts';

test('what a view is on, and what lookups and unions bring in, however deep', () => {
  const pipeline = [
    { $match: { $lookup: 'not a stage' } },
    { $lookup: { from: 'people', as: 'p', pipeline: [{ $unionWith: 'inner' }] } },
    { $unionWith: { coll: 'old', pipeline: [{ $graphLookup: { from: 'tree' } }] } },
    {
      $facet: {
        a: [{ $unionWith: { pipeline: [{ $documents: [] }] } }],
        b: [{ $lookup: { from: { db: 'x', coll: 'y' } } }],
      },
    },
    { $lookup: { from: 'people', as: 'again' } },
  ];
  const names = viewSources('orders', pipeline).map(({ database, collection }) => `${database ?? ''}/${collection}`);
  expect(names.sort()).toEqual(['/inner', '/old', '/orders', '/people', '/tree', 'x/y']);
});

test('nonsense from a server is no lineage', () => {
  expect(viewSources(undefined, 'x')).toEqual([]);
  expect(viewSources(3, [{ $lookup: null }, { $unionWith: 4 }, { $facet: [] }])).toEqual([]);
});
