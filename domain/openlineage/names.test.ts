import fc from 'fast-check';
import { expect, it } from 'vitest';
import { columnQualifiedName, lineageNameOf, lineageQualifiedName, nodeIdOf, parseNodeId } from './names.ts';

const anyName = fc.record({ namespace: fc.string({ minLength: 1 }), name: fc.string({ minLength: 1 }) });

it('gives every dataset a qualified name of its own, from which its name follows', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      expect(lineageNameOf(lineageQualifiedName(name))).toEqual(name);
    }),
  );
  const odd = { namespace: 'a|%7C%25', name: '|b%' };
  expect(lineageNameOf(lineageQualifiedName(odd))).toEqual(odd);
  expect(lineageQualifiedName({ namespace: 'postgres://db:5432', name: 'shop.public.orders' })).toBe(
    'postgres://db:5432|shop.public.orders',
  );
});

it('never gives two columns one name', () => {
  expect(columnQualifiedName({ namespace: 'n', name: 'a|b' }, 'c')).not.toBe(
    columnQualifiedName({ namespace: 'n', name: 'a' }, 'b|c'),
  );
  expect(lineageNameOf(columnQualifiedName({ namespace: 'n', name: 'a' }, 'b'))).toBeUndefined();
});

it('reads node ids whose namespaces hold colons', () => {
  const name = { namespace: 'postgres://db:5432', name: 'shop.public.orders' };
  const parsed = parseNodeId(nodeIdOf('dataset', name));
  expect(parsed?.kind).toBe('dataset');
  expect(parsed?.names).toContainEqual(name);
  expect(parseNodeId('job:airflow:daily')?.names).toEqual([{ namespace: 'airflow', name: 'daily' }]);
  for (const wrong of ['run:1', 'dataset:x', 'job::', 'x', '']) expect(parseNodeId(wrong)).toBeUndefined();
});
