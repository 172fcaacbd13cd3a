import { describe, expect, it, vi } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import type { SavedSourceDoc } from '#platform/mongo/sources.ts';
import { secretBox } from '#platform/secret-box.ts';
import { SourceService, type SourceServiceDeps } from './source-service.ts';

const box = secretBox(new Uint8Array(32));
const ada = { tenantId: 'acme', userId: 'ada', roles: ['operator'] } as const;
const saved = (url: string) =>
  ({
    _id: 's1',
    tenant_id: 'acme',
    revision: 3,
    sealed_source: box.seal(JSON.stringify({ type: 'postgres', url }), savedSourceContext('acme', 's1')),
  }) as SavedSourceDoc;

function service(change: Partial<SourceServiceDeps> = {}, stored = saved('postgres://ada:old@8.8.8.8/d')) {
  const written: Record<string, unknown>[] = [];
  const store = {
    create: vi.fn<(source: object) => Promise<SavedSourceDoc>>(async () => stored),
    get: async () => stored,
    list: async () => [stored],
    replace: async (_tenant: string, _id: string, _revision: number, set: object) => {
      written.push({ ...set });
      return stored;
    },
    remove: vi.fn<() => Promise<boolean>>(async () => true),
  } as unknown as SourceServiceDeps['sources'];
  const made = new SourceService({
    sources: store,
    sourceTests: { run: () => Promise.reject(new Error('not asked for')) },
    schedulesOf: async () => [],
    secretBox: box,
    allowPrivateSources: false,
    ...change,
  });
  const url = (): string => {
    const text = box.open(String(written.at(-1)?.['sealed_source']), savedSourceContext('acme', 's1'));
    return (JSON.parse(text) as { url: string }).url;
  };
  return { made, store, url };
}

const postgres = (url: string) => ({ type: 'postgres', url }) as const;

describe('saving a source', () => {
  it.each(['127.0.0.1', '10.0.0.5', '169.254.169.254', '[::1]'])('is refused at %s, by name', async (host) => {
    const { made, store } = service();
    const refusal = made.create(ada, 'inside', postgres(`postgres://u:p@${host}/d`), 's2');
    await expect(refusal).rejects.toMatchObject({ code: 'source-refused', field: '/source/url' });
    await expect(made.replace(ada, 's1', 'inside', postgres(`postgres://u:p@${host}/d`))).rejects.toThrow(LilyError);
    expect(store.create).not.toHaveBeenCalled();
  });

  it('is checked again when only the name changes: names may point elsewhere by now', async () => {
    const { made } = service({}, saved('postgres://ada:old@127.0.0.1/d'));
    await expect(made.replace(ada, 's1', 'renamed', undefined)).rejects.toMatchObject({ code: 'source-refused' });
  });
});

describe('replacing a source without its password', () => {
  it.each([
    ['the same place and account', 'postgres://ada@8.8.8.8/d', 'postgres://ada:old@8.8.8.8/d'],
    ['a new password', 'postgres://ada:new@8.8.8.8/d', 'postgres://ada:new@8.8.8.8/d'],
    ['another host', 'postgres://ada@8.8.4.4/d', 'postgres://ada@8.8.4.4/d'],
    ['another port', 'postgres://ada@8.8.8.8:5433/d', 'postgres://ada@8.8.8.8:5433/d'],
    ['another account', 'postgres://eve@8.8.8.8/d', 'postgres://eve@8.8.8.8/d'],
    ['another database', 'postgres://ada@8.8.8.8/e', 'postgres://ada@8.8.8.8/e'],
    ['no encryption', 'postgres://ada@8.8.8.8/d?sslmode=disable', 'postgres://ada@8.8.8.8/d?sslmode=disable'],
  ])('with %s', async (_what, given, kept) => {
    const { made, url } = service();
    await made.replace(ada, 's1', 'warehouse', postgres(given));
    expect(url()).toBe(kept);
  });
});

it('a source that schedules read is not deleted', async () => {
  const { made, store } = service({ schedulesOf: async () => [{ _id: 'p1' }] });
  await expect(made.remove('acme', 's1')).rejects.toMatchObject({ code: 'conflict', message: /p1/ as never });
  expect(store.remove).not.toHaveBeenCalled();
});
