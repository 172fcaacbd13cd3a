import { describe, expect, it } from 'vitest';
import { maxCauses } from '#domain/propagation/impact.ts';
import { findAffected } from './affected.ts';

/** A graph as `from>to` edges. */
function graph(...edges: string[]) {
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    const [from = '', to = ''] = edge.split('>');
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const node = (id: string) => ({ metadata_id: id, entity_type: 'table', qualified_name: id, name: id });
  return async (ids: string[]) =>
    ids.filter((id) => next.has(id)).map((from) => ({ from, to: (next.get(from) ?? []).map(node) }));
}

const root = (id: string) => ({ metadata_id: id, version: 1, change: 'updated' as const });

async function affected(roots: string[], edges: string[], depth = 20) {
  const found = await findAffected(roots.map(root), depth, graph(...edges));
  return Object.fromEntries(
    found.map((one) => [one.node.metadata_id, one.causes.map((cause) => `${cause.metadata_id}@${cause.distance}`)]),
  );
}

describe('findAffected', () => {
  it('finds each entity once, by its shortest way, through diamonds', async () => {
    expect(await affected(['a'], ['a>b', 'a>c', 'b>d', 'c>d', 'a>d', 'd>e'])).toEqual({
      b: ['a@1'],
      c: ['a@1'],
      d: ['a@1'],
      e: ['a@2'],
    });
  });

  it('ends in cycles and never names a change as its own cause', async () => {
    expect(await affected(['a'], ['a>b', 'b>c', 'c>a', 'c>b'])).toEqual({ b: ['a@1'], c: ['a@2'] });
  });

  it('keeps every change that concerns an entity, nearest first', async () => {
    expect(await affected(['a', 'b'], ['a>b', 'b>c'])).toEqual({ b: ['a@1'], c: ['b@1', 'a@2'] });
  });

  it('stops at the depth', async () => {
    expect(await affected(['a'], ['a>b', 'b>c', 'c>d'], 2)).toEqual({ b: ['a@1'], c: ['a@2'] });
  });

  it('lists a bounded number of causes and says that there are more', async () => {
    const roots = Array.from({ length: maxCauses + 5 }, (_, index) => `r${index}`);
    const found = await findAffected(roots.map(root), 20, graph(...roots.map((id) => `${id}>x`), 'x>y'));
    expect(found.map((one) => [one.causes.length, one.moreCauses])).toEqual([
      [maxCauses, true],
      [maxCauses, true],
    ]);
  });
});
