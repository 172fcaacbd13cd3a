import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EntityVersion } from '#domain/assets/entity.ts';
import type { IngestRecord } from '#domain/assets/record.ts';
import { prepare, type PreparedRecord } from '#activities/transformation/prepare.ts';
import { storeVersions, type StoreDeps } from '#activities/transformation/store-versions.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import { entities } from '#platform/mongo/entities.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { batchOf, freshTenant, rawRecordsOf, table } from '#test/support/pipeline.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

function stores(): StoreDeps & { entities: ReturnType<typeof entities> } {
  return { entities: entities(mongo.db), deadLetters: deadLetters(mongo.db) };
}

async function landed(tenantId: string, batch: string, bodies: IngestRecord[], from = 0): Promise<PreparedRecord[]> {
  const ref = batchOf(tenantId, batch);
  const raw = rawRecords(mongo.db);
  await raw.land(ref, rawRecordsOf(ref, bodies, from));
  return (await raw.load(ref)).map((document) => {
    const prepared = prepare(document);
    if (!prepared.ok) throw new Error(prepared.letter.detail);
    return prepared.record;
  });
}

const bodies = [
  table('a', 'one'),
  table('b', 'one', ['a']),
  table('a', 'two'),
  table('a', 'two'),
  { op: 'delete', entity_type: 'table', qualified_name: 'b' } as const,
  table('b', 'again'),
];

/** What matters of a history, without ids. */
function story(versions: EntityVersion[]): unknown[] {
  return versions
    .map((one) => [
      one.qualified_name,
      one.version,
      one.change,
      one.attributes.description,
      one.record_id.split(':').at(-1),
    ])
    .sort();
}

async function historyIn(tenantId: string): Promise<EntityVersion[]> {
  const documents = await mongo.db
    .collection('entity_versions')
    .find({ tenant_id: tenantId })
    .sort({ _id: 1 })
    .toArray();
  return documents as unknown as EntityVersion[];
}

/** Fails at the n-th write, before or after it took effect, as a crash would. */
function crashingAt(nth: number, moment: 'before' | 'after'): StoreDeps {
  let writes = 0;
  const deps = stores();
  const guarded = <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      const crashes = writes++ === nth;
      if (crashes && moment === 'before') throw new Error('crash');
      const result = await call(...args);
      if (crashes) throw new Error('crash');
      return result;
    };
  };
  return {
    deadLetters: { put: guarded(deps.deadLetters.put) },
    entities: {
      ...deps.entities,
      insertVersions: guarded(deps.entities.insertVersions),
      closePredecessors: guarded(deps.entities.closePredecessors),
      putCurrent: guarded(deps.entities.putCurrent),
      putFacts: guarded(deps.entities.putFacts),
    },
  };
}

describe('storeVersions on MongoDB', () => {
  it('gives the same change set and the same stores after a crash at any write', async () => {
    const clean = freshTenant();
    const expected = await storeVersions(stores(), batchOf(clean, 'b1'), await landed(clean, 'b1', bodies));
    expect(story(expected.versions)).toHaveLength(5);

    for (const moment of ['before', 'after'] as const) {
      for (let nth = 0; nth < 5; nth++) {
        const tenantId = freshTenant();
        const records = await landed(tenantId, 'b1', bodies);
        const ref = batchOf(tenantId, 'b1');
        await expect(storeVersions(crashingAt(nth, moment), ref, records)).rejects.toThrow('crash');
        const again = await storeVersions(stores(), ref, records);
        expect(story(again.versions)).toEqual(story(expected.versions));
        const history = await historyIn(tenantId);
        expect(story(history)).toEqual(story(expected.versions));
        expect(history.filter((one) => one.is_current)).toHaveLength(2);
        const current = await stores().entities.getMany(tenantId, [...new Set(history.map((one) => one.entity_id))]);
        expect([...current.values()].map((one) => [one.qualified_name, one.version]).sort()).toEqual([
          ['a', 2],
          ['b', 3],
        ]);
      }
    }
  });

  it('resumes after only a part of the versions went in', async () => {
    const tenantId = freshTenant();
    const records = await landed(tenantId, 'b1', bodies);
    const deps = stores();
    const partial: StoreDeps = {
      ...deps,
      entities: {
        ...deps.entities,
        insertVersions: async (tenant, versions) => {
          await deps.entities.insertVersions(tenant, versions.slice(0, 2));
          throw new Error('crash');
        },
      },
    };
    const ref = batchOf(tenantId, 'b1');
    await expect(storeVersions(partial, ref, records)).rejects.toThrow('crash');
    const { versions } = await storeVersions(deps, ref, records);
    expect(versions).toHaveLength(5);
    expect((await historyIn(tenantId)).map((one) => `${one.qualified_name}${one.version}`).sort()).toEqual([
      'a1',
      'a2',
      'b1',
      'b2',
      'b3',
    ]);
  });

  it('lets batches of two doors change the same entities at once: no version is lost or doubled', async () => {
    const tenantId = freshTenant();
    const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
    const rounds = 4;
    await Promise.all(
      ['x', 'y', 'z'].map(async (door) => {
        for (let round = 0; round < rounds; round++) {
          const records = await landed(
            tenantId,
            `${door}${round}`,
            names.map((name) => table(name, `${door}${round}`)),
          );
          await storeVersions(stores(), batchOf(tenantId, `${door}${round}`), records);
        }
      }),
    );
    const history = await historyIn(tenantId);
    for (const [id, versions] of Map.groupBy(history, (one) => one.entity_id)) {
      expect(versions.map((one) => one.version)).toEqual(Array.from({ length: 3 * rounds }, (_, index) => index + 1));
      const starts = versions.map((one) => one.valid_from.getTime());
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b));
      expect(versions.map((one) => one.valid_to?.getTime() ?? null)).toEqual([...starts.slice(1), null]);
      const current = await stores().entities.get(tenantId, id);
      expect(current?.version).toBe(3 * rounds);
      for (const door of ['x', 'y', 'z']) {
        const own = versions.map((one) => String(one.attributes.description)).filter((text) => text.startsWith(door));
        expect(own).toEqual([`${door}0`, `${door}1`, `${door}2`, `${door}3`]);
      }
    }
  });

  it('refuses a record whose If-Match does not hold, once and for good', async () => {
    const tenantId = freshTenant();
    await storeVersions(stores(), batchOf(tenantId, 'b1'), await landed(tenantId, 'b1', [table('a', 'one')]));
    const records = await landed(tenantId, 'b2', [{ ...table('a', 'two'), expected_version: 7 }]);
    const outcome = await storeVersions(stores(), batchOf(tenantId, 'b2'), records);
    expect(outcome).toMatchObject({ versions: [], refused: [{ expectedVersion: 7 }] });
    const letters = await deadLetters(mongo.db).ofBatch(tenantId, batchOf(tenantId, 'b2').batchId);
    expect(letters.map((letter) => [letter.reason, letter.detail])).toEqual([
      ['version-mismatch', 'If-Match asked for version 7, but the entity is at version 1'],
    ]);
  });

  it('refuses a merge that would make its entity too large to be stored, and takes the others', async () => {
    const tenantId = freshTenant();
    const part = (index: number): IngestRecord => ({
      op: 'merge',
      entity_type: 'table',
      qualified_name: 'grows',
      attributes: { [`part${index}`]: '表'.repeat(160_000) },
    });
    const records = await landed(tenantId, 'b1', [
      ...Array.from({ length: 18 }, (_, at) => part(at)),
      table('a', 'one'),
    ]);
    const crash = {
      ...stores(),
      entities: { ...stores().entities, putCurrent: () => Promise.reject(new Error('crash')) },
    };
    await expect(storeVersions(crash, batchOf(tenantId, 'b1'), records)).rejects.toThrow('crash');
    const { versions } = await storeVersions(stores(), batchOf(tenantId, 'b1'), records);
    expect(versions).toHaveLength(18);
    const letters = await deadLetters(mongo.db).ofBatch(tenantId, batchOf(tenantId, 'b1').batchId);
    expect(letters).toMatchObject([{ reason: 'invalid-record', detail: expect.stringContaining('may take 8388608') }]);
  });

  it('keeps odd keys faithfully', async () => {
    const tenantId = freshTenant();
    const odd = { name: 'a', $where: 1, 'a.b': { $ref: 'x', $id: 1, _bsontype: 'ObjectId' }, '': [null, { $: 0 }] };
    const body: IngestRecord = { ...table('a', ''), attributes: odd };
    await storeVersions(stores(), batchOf(tenantId, 'b1'), await landed(tenantId, 'b1', [body]));
    const [version] = await historyIn(tenantId);
    const entity = await stores().entities.get(tenantId, version?.entity_id ?? '');
    expect(entity?.attributes).toEqual(odd);
  });

  it('never reads or writes another tenant', async () => {
    const [one, other] = [freshTenant(), freshTenant()];
    await storeVersions(stores(), batchOf(one, 'b1'), await landed(one, 'b1', [table('a', 'one')]));
    const [version] = await historyIn(one);
    expect(await stores().entities.get(other, version?.entity_id ?? '')).toBeUndefined();
    expect(await stores().entities.versions(other, version?.entity_id ?? '', { limit: 10 })).toEqual([]);
    await expect(stores().entities.insertVersions(other, version === undefined ? [] : [version])).rejects.toThrow(
      'tenant',
    );
  });
});
