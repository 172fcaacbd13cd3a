import { describe, expect, it } from 'vitest';
import type { Entity } from '#domain/assets/entity.ts';
import { entityAsOf, planVersions } from './plan-versions.ts';
import { prepare, type PreparedRecord } from './prepare.ts';

const arrival = new Date('2026-01-01T00:00:00.000Z');

function record(id: string, body: object): PreparedRecord {
  const raw = {
    _id: id,
    tenant_id: 'acme',
    batch_id: 'b1',
    seq: 0,
    entity_id: '',
    received_at: arrival,
    door: 'rest' as const,
    actor: 'ada',
    body: JSON.stringify({ op: 'upsert', entity_type: 'table', qualified_name: 'db.t', ...body }),
  };
  const prepared = prepare(raw);
  if (!prepared.ok) throw new Error(prepared.letter.detail);
  return prepared.record;
}

const named = (description: string) => ({ attributes: { name: 't', description } });

function stored(...records: PreparedRecord[]): Map<string, Entity> {
  const { versions } = planVersions('acme', new Map(), records);
  return new Map(versions.map(({ version }) => [version.entity_id, entityAsOf(version)]));
}

describe('planVersions', () => {
  it('makes a version for each distinct change of an entity within one batch, in order', () => {
    const plan = planVersions('acme', new Map(), [
      record('r1', named('a')),
      record('r2', named('a')),
      record('r3', named('b')),
      record('r4', named('a')),
    ]);
    expect(plan.versions.map(({ version }) => [version.version, version.change, version.record_id])).toEqual([
      [1, 'created', 'r1'],
      [2, 'updated', 'r3'],
      [3, 'updated', 'r4'],
    ]);
    expect(plan.unchanged.map((one) => one.record.recordId)).toEqual(['r2']);
    expect(plan.versions[1]?.version.changed_fields).toEqual(['attributes.description']);
  });

  it('gives versions of one millisecond rising times of effect', () => {
    const plan = planVersions('acme', new Map(), [record('r1', named('a')), record('r2', named('b'))]);
    const times = plan.versions.map(({ version }) => version.valid_from.getTime() - arrival.getTime());
    expect(times).toEqual([0, 1]);
  });

  it('takes content as equal whatever the order of its keys, tags twice and references', () => {
    const first = record('r1', {
      attributes: { name: 't', tags: ['x', 'y', 'x'], deep: { a: 1, b: 2 } },
      upstream: [
        { entity_type: 'table', qualified_name: 'a' },
        { entity_type: 'table', qualified_name: 'b' },
      ],
    });
    const second = record('r2', {
      upstream: [
        { entity_type: 'table', qualified_name: 'b' },
        { entity_type: 'table', qualified_name: 'a' },
      ],
      attributes: { deep: { b: 2, a: 1 }, tags: ['x', 'y'], name: 't' },
    });
    expect(planVersions('acme', stored(first), [second]).versions).toEqual([]);
  });

  it('deletes once, keeps the content, and creates again on top of the history', () => {
    const gone = record('r2', { op: 'delete' });
    const plan = planVersions('acme', stored(record('r1', named('a'))), [gone, gone, record('r3', named('a'))]);
    expect(plan.versions.map(({ version }) => [version.version, version.change])).toEqual([
      [2, 'deleted'],
      [3, 'created'],
    ]);
    expect(plan.versions[0]?.version.attributes).toEqual({ name: 't', description: 'a' });
    expect(plan.versions[1]?.version.created_at).toEqual(arrival);
  });

  it('leaves a deletion of what never was without effect', () => {
    const plan = planVersions('acme', new Map(), [record('r1', { op: 'delete' })]);
    expect(plan.versions).toEqual([]);
    expect(plan.unchanged).toHaveLength(1);
  });

  it('applies a record with an expected version only to that version', () => {
    const base = stored(record('r1', named('a')));
    const plan = planVersions('acme', base, [
      record('r2', { ...named('b'), expected_version: 1 }),
      record('r3', { ...named('c'), expected_version: 1 }),
    ]);
    expect(plan.versions.map(({ version }) => version.record_id)).toEqual(['r2']);
    expect(plan.mismatched.map(({ record: one, found }) => [one.recordId, found])).toEqual([['r3', 2]]);
  });

  it('keeps measured facts without a version when only they differ', () => {
    const base = stored(record('r1', { ...named('a'), statistics: { rows: 1 } }));
    const plan = planVersions('acme', base, [
      record('r2', { ...named('a'), statistics: { rows: 2 } }),
      record('r3', { ...named('a'), statistics: { rows: 1 } }),
    ]);
    expect(plan.versions).toEqual([]);
    expect(plan.unchanged.map((one) => one.facts)).toEqual([
      { version: 1, statistics: { rows: 2 } },
      { version: 1, statistics: { rows: 1 } },
    ]);
  });

  it('moves an entity to the source that reads it now, without a version', () => {
    const base = stored(record('r1', { ...named('a'), source_id: 'postgres:old' }));
    const plan = planVersions('acme', base, [record('r2', { ...named('a'), source_id: 'postgres:new' })]);
    expect(plan.versions).toEqual([]);
    expect(plan.unchanged.map((one) => one.facts)).toEqual([{ version: 1, source_id: 'postgres:new' }]);
  });

  it('notices a change of parent, upstream or relationship', () => {
    const base = stored(record('r1', named('a')));
    const plan = planVersions('acme', base, [
      record('r2', { ...named('a'), parent: { entity_type: 'schema', qualified_name: 's' } }),
      record('r3', { ...named('a'), upstream: [{ entity_type: 'table', qualified_name: 'u' }] }),
    ]);
    expect(plan.versions.map(({ version }) => version.changed_fields)).toEqual([['parent'], ['parent', 'upstream']]);
  });

  it('makes a version of a merge only when it changes something, on top of what the batch has made so far', () => {
    const merge = (id: string, attributes: object) => record(id, { op: 'merge', attributes });
    const plan = planVersions('acme', stored(record('r0', named('a'))), [
      merge('r1', { description: 'a' }),
      merge('r2', { owner: 'ada' }),
      merge('r3', { name: 't', owner: 'ada' }),
      merge('r4', { description: null }),
    ]);
    expect(plan.versions.map(({ version }) => [version.record_id, version.version, version.changed_fields])).toEqual([
      ['r2', 2, ['attributes.owner']],
      ['r4', 3, ['attributes.description']],
    ]);
    expect(plan.versions.at(-1)?.version.attributes).toEqual({ name: 't', owner: 'ada' });
    expect(plan.unchanged).toHaveLength(2);
  });

  it('merges statistics, and starts anew after a deletion', () => {
    const before = record('r1', { ...named('a'), statistics: { rows: 1, bytes: 5 } });
    const plan = planVersions('acme', stored(before), [
      record('r2', { op: 'merge', statistics: { rows: 2 } }),
      record('r3', { op: 'delete' }),
      record('r4', { op: 'merge', attributes: { owner: 'ada' } }),
    ]);
    expect(plan.unchanged[0]?.facts?.statistics).toEqual({ rows: 2, bytes: 5 });
    const [, created] = plan.versions;
    expect(created?.version).toMatchObject({ change: 'created', attributes: { name: 'db.t', owner: 'ada' } });
  });
});
