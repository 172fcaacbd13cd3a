import type { Request } from 'express';
import { expect, test } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import type { StoredObject } from '#platform/objects/object-store.ts';
import { storedOnce, type UploadDeps } from './uploads.ts';

const ada = { tenantId: 'acme', userId: 'ada', roles: ['operator'] } as const;
const done = { status: 202, headers: {}, body: {} };

/** Starts with a file what runs under the id of the request's key; `holds` says which upload that reads. */
async function start(objectId: string, holds: () => Promise<string | undefined>, outcome: () => Promise<typeof done>) {
  const removed: string[] = [];
  const deps = {
    idempotency: {
      reserve: async () => ({ state: 'reserved', seed: 'run-1' }),
      release: async () => undefined,
      keep: async () => undefined,
    } as unknown as IdempotencyKeys,
    objects: {
      remove: async (_tenantId: string, id: string) => removed.push(id) > 0,
    } as unknown as UploadDeps['objects'],
  };
  const request = { method: 'POST', originalUrl: '/v1/ingestions', get: () => 'key-1' } as unknown as Request;
  const object = { objectId, sha256: 'ab', name: 'a.csv' } as StoredObject;
  const isHeld = async (ids: (index: number) => string) => ids(0) === 'run-1' && (await holds()) === objectId;
  const answer = await storedOnce(deps, request, ada, { object, about: null }, outcome, isHeld).catch(
    (error: unknown) => error,
  );
  return { answer, removed };
}

const away = new LilyError('unavailable', 'Temporal is away.');

test('a start that failed keeps the file of the run that it left, and its repetition keeps no second one', async () => {
  const first = await start('a', async () => 'a', () => Promise.reject(away)); // prettier-ignore
  expect(first).toEqual({ answer: away, removed: [] });
  const again = await start('b', async () => 'a', async () => done); // prettier-ignore
  expect(again).toEqual({ answer: done, removed: ['b'] });
});

test('a start that left nothing keeps no file, and one that nobody can tell of keeps it', async () => {
  const failed = await start('a', async () => undefined, () => Promise.reject(away)); // prettier-ignore
  expect(failed.removed).toEqual(['a']);
  const unknown = await start('a', () => Promise.reject(away), () => Promise.reject(away)); // prettier-ignore
  expect(unknown.removed).toEqual([]);
  expect(
    (
      await start(
        'a',
        async () => 'a',
        async () => done,
      )
    ).removed,
  ).toEqual([]);
});

test('without a key, what is asked about afterwards is what the write was given', async () => {
  const removed: string[] = [];
  const objects = { remove: async (_tenantId: string, id: string) => removed.push(id) > 0 };
  const deps = { idempotency: {}, objects } as unknown as UploadDeps;
  const request = { method: 'POST', originalUrl: '/v1/ingestions', get: () => undefined } as unknown as Request;
  const object = { objectId: 'a', sha256: 'ab', name: 'a.csv' } as StoredObject;
  let started = '';
  const run = async (ids: (index: number) => string) => {
    started = ids(0);
    return done;
  };
  const answer = await storedOnce(deps, request, ada, { object, about: null }, run, async (ids) => ids(0) === started);
  expect(answer).toEqual(done);
  expect(removed).toEqual([]);
});
