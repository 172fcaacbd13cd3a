import { expect, test } from 'vitest';
import { metadataId } from '#platform/digest.ts';
import { IdSet } from './id-set.ts';

test('it has what was added, over many growths, and nothing else', () => {
  const id = (number: number): string => metadataId('acme', 'column', `warehouse.t.c${number}`);
  const set = new IdSet();
  for (let number = 0; number < 50_000; number++) set.add(id(number));
  for (let number = 0; number < 1_000; number++) set.add(id(number));
  expect(set.size).toBe(50_000);
  for (let number = 0; number < 50_000; number++) expect(set.has(id(number))).toBe(true);
  for (let number = 50_000; number < 100_000; number++) expect(set.has(id(number))).toBe(false);
});
