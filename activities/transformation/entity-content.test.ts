import { describe, expect, it } from 'vitest';
import type { MergeRecord } from '#domain/assets/record.ts';
import { hashOf, mergedContent, statedContent, statedPatch } from './entity-content.ts';

const base = statedContent('acme', {
  op: 'upsert',
  entity_type: 'dataset',
  qualified_name: 'warehouse|orders',
  attributes: { name: 'orders', description: 'all orders', tags: ['a'], facets: { storage: { layer: 'delta' }, x: 1 } },
  upstream: [{ entity_type: 'table', qualified_name: 'raw' }],
});

function merged(change: Partial<MergeRecord>) {
  const record: MergeRecord = { op: 'merge', entity_type: 'dataset', qualified_name: 'warehouse|orders', ...change };
  return mergedContent(base, statedPatch('acme', record), record.qualified_name);
}

describe('a merge', () => {
  it('replaces the attributes that it gives, and leaves the others and the edges', () => {
    const content = merged({ attributes: { description: 'orders of today', owner: 'ada' } });
    expect(content.attributes).toEqual({ ...base.attributes, description: 'orders of today', owner: 'ada' });
    expect(content.upstream).toEqual(base.upstream);
  });

  it('takes away what is null, but never the name', () => {
    const { attributes } = merged({ attributes: { description: null, tags: null } });
    expect(attributes).toEqual({ name: 'orders', facets: base.attributes['facets'] });
  });

  it('merges facets name by name', () => {
    const facets = (change: Record<string, unknown>) => merged({ attributes: { facets: change } }).attributes['facets'];
    expect(facets({ storage: { layer: 'iceberg' } })).toEqual({ storage: { layer: 'iceberg' }, x: 1 });
    expect(facets({ x: null })).toEqual({ storage: { layer: 'delta' } });
    expect(facets({ storage: null, x: null })).toBeUndefined();
  });

  it('replaces a set of edges that it gives, and only that', () => {
    const content = merged({ upstream: [], downstream: [{ entity_type: 'dataset', qualified_name: 'b' }] });
    expect(content.upstream).toEqual([]);
    expect(content.downstream).toHaveLength(1);
    expect(merged({ downstream: [] })).not.toHaveProperty('downstream');
  });

  it('changes nothing when it says what is there', () => {
    const again = merged({ attributes: { name: 'orders', facets: { x: 1 } }, upstream: base.upstream });
    expect(hashOf(again)).toBe(hashOf(base));
    expect(hashOf(merged({ downstream: base.upstream }))).not.toBe(hashOf(base));
  });

  it('makes an entity that is not there yet, named by its qualified name', () => {
    const content = mergedContent(undefined, { attributes: { description: 'new' } }, 'warehouse|orders');
    expect(content).toEqual({
      attributes: { name: 'warehouse|orders', description: 'new' },
      upstream: [],
      relationships: [],
    });
  });
});

it('says of facets that find no room any more that they are left out', () => {
  const body = { text: '表'.repeat(20_000) };
  const facets = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, body]));
  const first = merged({ attributes: { facets } });
  const kept = first.attributes['facets'] as Record<string, unknown>;
  expect(kept['f0']).toEqual(body);
  expect(kept['x']).toBe(1);
  expect(kept['f39']).toEqual({ _omitted: 'all facets of the entity have more than 2097152 bytes' });
  const patch = statedPatch('acme', {
    op: 'merge',
    entity_type: 'dataset',
    qualified_name: 'd',
    attributes: { facets },
  });
  expect(mergedContent(first, patch, 'd')).toEqual(first);
});
