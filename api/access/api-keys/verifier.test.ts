import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sha256Hex } from '#platform/digest.ts';
import type { ApiKeyDoc } from '#platform/mongo/api-keys.ts';
import type { TokenVerifier } from '#platform/oidc/token-verifier.ts';
import { newApiKey, withApiKeys } from './verifier.ts';

const key = newApiKey();
const document: ApiKeyDoc = {
  _id: 'key-1',
  tenant_id: 'acme',
  name: 'airflow',
  roles: ['editor'],
  digest: sha256Hex(key),
  created_by: 'ada',
  created_at: new Date(),
};

function storeWith(found: ApiKeyDoc | undefined) {
  return {
    findValid: vi.fn<(digest: string) => Promise<ApiKeyDoc | undefined>>(async (digest) =>
      digest === found?.digest ? found : undefined,
    ),
    noteUse: vi.fn<() => Promise<void>>(async () => undefined),
  };
}

const noTokens: TokenVerifier = async () => {
  throw new Error('this is no token');
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('signing in with an API key', () => {
  it('makes long random keys that a header can carry', () => {
    expect(key).toMatch(/^lily_[A-Za-z0-9_-]{43}$/);
    expect(newApiKey()).not.toBe(key);
  });

  it("gives the key's tenant and roles, and names the key as the user", async () => {
    const { principal } = await withApiKeys(noTokens, () => storeWith(document))(key);
    expect(principal).toEqual({ tenantId: 'acme', userId: 'api-key:key-1', roles: ['editor'] });
  });

  it('refuses a key that the store does not vouch for, and leaves everything else to the provider', async () => {
    const verify = withApiKeys(noTokens, () => storeWith(document));
    await expect(verify(newApiKey())).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(verify('eyJhbGciOi')).rejects.toThrow('this is no token');
  });

  it('asks the store once in three seconds, so that a revoked key ends soon', async () => {
    const store = storeWith(document);
    const verify = withApiKeys(noTokens, () => store);
    await verify(key);
    await verify(key);
    expect(store.findValid).toHaveBeenCalledTimes(1);
    expect(store.noteUse).toHaveBeenCalledTimes(1);
    store.findValid.mockResolvedValue(undefined);
    vi.advanceTimersByTime(3_001);
    await expect(verify(key)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('ends a key at its own time, though it is still remembered', async () => {
    const store = storeWith({ ...document, expires_at: new Date(Date.now() + 1_000) });
    const verify = withApiKeys(noTokens, () => store);
    await verify(key);
    store.findValid.mockResolvedValue(undefined);
    vi.advanceTimersByTime(1_001);
    await expect(verify(key)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('says that keys cannot be checked while the store is not there', async () => {
    const verify = withApiKeys(noTokens, () => undefined);
    await expect(verify(key)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
