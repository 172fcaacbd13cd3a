import { describe, expect, it } from 'vitest';
import { limits } from '#domain/limits.ts';
import { affectedBy } from './affected.ts';

const entity = (id: string) => ({ metadata_id: id, entity_type: 'table', qualified_name: id });
const graph = (edges: Record<string, string[]>) => async (ids: string[]) =>
  ids.map((from) => ({ from, to: (edges[from] ?? []).map((id) => ({ ...entity(id), name: id })) }));

describe('what an incident affects', () => {
  it('is everything downstream once, by its shortest way, and nothing that it is about', async () => {
    const edges = { a: ['b', 'c'], b: ['d', 'a'], c: ['d'], d: ['e'] };
    const { affected, affected_count, affected_more } = await affectedBy([entity('a'), entity('c')], graph(edges));
    expect(affected.map(({ metadata_id, distance }) => `${metadata_id} ${distance}`)).toEqual(['b 1', 'd 1', 'e 2']);
    expect([affected_count, affected_more]).toEqual([3, false]);
  });

  it('is counted further than it is listed, and both have an end', async () => {
    const many = Array.from({ length: limits.incidentAffectedCounted + 5 }, (_, index) => `n${index}`);
    const wide = await affectedBy([entity('a')], graph({ a: many }));
    expect(wide.affected).toHaveLength(limits.incidentAffected);
    expect([wide.affected_count, wide.affected_more]).toEqual([limits.incidentAffectedCounted, true]);
    const chain = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`n${index}`, [`n${index + 1}`]]));
    const long = await affectedBy([entity('n0')], graph(chain));
    expect([long.affected_count, long.affected_more]).toEqual([limits.impactDepth, true]);
  });
});
