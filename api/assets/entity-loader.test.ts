import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Entity } from '#domain/assets/entity.ts';
import { entityLoader } from './entity-loader.ts';

const entity = (tenant: string, id: string) => ({ entity_id: id, tenant_id: tenant }) as Entity;

describe('entityLoader', () => {
  it('reads together what is asked while a query is under way, each tenant by itself', async () => {
    const queries: [string, string[]][] = [];
    const load = entityLoader(async (tenant, ids) => {
      queries.push([tenant, ids]);
      await sleep(5);
      return new Map(ids.filter((id) => id !== 'absent').map((id) => [id, entity(tenant, id)]));
    });
    const asked = ['a', 'b', 'c', 'd', 'c', 'absent'].map((id) => load('acme', id));
    const other = load('globex', 'a');
    expect((await Promise.all(asked)).map((found) => found?.entity_id)).toEqual(['a', 'b', 'c', 'd', 'c', undefined]);
    expect((await other)?.tenant_id).toBe('globex');
    expect(queries).toEqual([
      ['acme', ['a']],
      ['acme', ['b']],
      ['globex', ['a']],
      ['acme', ['c', 'd', 'absent']],
    ]);
  });

  it('fails those who asked, and nobody after them', async () => {
    let fails = true;
    const load = entityLoader(async (tenant, ids) => {
      await sleep(1);
      if (fails) throw new Error('down');
      return new Map(ids.map((id) => [id, entity(tenant, id)]));
    });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((id) => load('acme', id)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    fails = false;
    expect((await load('acme', 'a'))?.entity_id).toBe('a');
  });

  it('never answers from a query that began before the question', async () => {
    let version = 1;
    const load = entityLoader(async (tenant, ids) => {
      const seen = version;
      await sleep(5);
      return new Map(ids.map((id) => [id, { ...entity(tenant, id), version: seen }]));
    });
    const early = [load('acme', 'a'), load('acme', 'a')];
    version = 2;
    expect((await load('acme', 'a'))?.version).toBe(2);
    expect((await Promise.all(early)).map((found) => found?.version)).toEqual([1, 1]);
  });
});
