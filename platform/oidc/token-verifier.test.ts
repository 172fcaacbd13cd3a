import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTokenVerifier, type TokenVerifierOptions } from './token-verifier.ts';

interface Key {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
}

async function makeKey(kid: string, alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

let server: Server;
let issuer: string;
let published: Key[] = [];
let reads = 0;
let down = false;
let rsa: Key;
let elliptic: Key;

beforeAll(async () => {
  [rsa, elliptic] = await Promise.all([makeKey('rsa-1', 'RS256'), makeKey('ec-1', 'ES256')]);
  server = createServer((request, response) => {
    if (down) return response.writeHead(503).end();
    response.setHeader('Content-Type', 'application/json');
    if (request.url === '/jwks') {
      reads += 1;
      return response.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }));
    }
    if (request.url !== '/.well-known/openid-configuration') return response.writeHead(404).end();
    return response.end(
      JSON.stringify({
        issuer,
        jwks_uri: `${issuer}/jwks`,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

beforeEach(() => {
  published = [rsa, elliptic];
  reads = 0;
  down = false;
});

const verifier = (options: Partial<TokenVerifierOptions> = {}) =>
  createTokenVerifier({ issuer, audience: 'lily', cooldownMs: 0, ...options });

interface TokenPlan {
  key?: Key;
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  issuer?: string;
  audience?: string;
  expires?: number | null;
  notBefore?: number;
}

const now = (): number => Math.floor(Date.now() / 1_000);

async function token({
  key = rsa,
  claims = {},
  header = {},
  expires = now() + 300,
  ...plan
}: TokenPlan = {}): Promise<string> {
  const jwt = new SignJWT({ tenant: 'acme', roles: ['editor', 'juggler'], ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .setIssuer(plan.issuer ?? issuer)
    .setAudience(plan.audience ?? 'lily')
    .setSubject('ada');
  if (expires !== null) jwt.setExpirationTime(expires);
  if (plan.notBefore !== undefined) jwt.setNotBefore(plan.notBefore);
  return jwt.sign(key.privateKey);
}

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({ iss: issuer, aud: 'lily', sub: 'ada', exp: now() + 300, tenant: 'acme', roles: ['admin'] });

describe('createTokenVerifier', () => {
  it('gives the principal of a good token, of each kind of key', async () => {
    const verify = verifier();
    for (const key of [rsa, elliptic]) {
      const expires = now() + 60;
      const verified = await verify(await token({ key, expires }));
      expect(verified).toEqual({
        principal: { tenantId: 'acme', userId: 'ada', roles: ['editor'] },
        expiresAt: expires * 1_000,
      });
    }
  });

  const refusals: [string, () => Promise<string>, RegExp][] = [
    ['expired', () => token({ expires: now() - 10 }), /expired/],
    ['without expiry', () => token({ expires: null }), /`exp` claim is missing/],
    ['not valid yet', () => token({ notBefore: now() + 60 }), /not valid yet/],
    ['of another issuer', () => token({ issuer: 'https://elsewhere.example' }), /issued by/],
    ['for another audience', () => token({ audience: 'other' }), /audience lily/],
    ['without tenant', () => token({ claims: { tenant: undefined } }), /`tenant` claim is missing/],
    ['with a tenant that is no id', () => token({ claims: { tenant: 'acme|x' } }), /tenant id/],
    ['without roles', () => token({ claims: { roles: undefined } }), /`roles` claim is missing/],
    ['with roles that are no list', () => token({ claims: { roles: 'admin' } }), /not a list/],
    ['that is no token', async () => 'nonsense', /not a signed JSON Web Token/],
    ['that is far too long', async () => 'x'.repeat(20_000), /longer than/],
    ['with alg none', async () => `${base64({ alg: 'none' })}.${base64(claims())}.`, /must be signed with/],
    [
      'with a public key used as a shared secret',
      async () => {
        const text = `${base64({ alg: 'HS256', kid: rsa.kid })}.${base64(claims())}`;
        const secret = await exportSPKI(rsa.publicKey);
        return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
      },
      /must be signed with/,
    ],
    [
      'with claims changed after signing',
      async () => {
        const [head, , signature] = (await token()).split('.');
        return `${head}.${base64(claims())}.${signature}`;
      },
      /signature is wrong/,
    ],
    [
      "forged with the attacker's own key under a known id",
      async () => token({ key: { ...(await makeKey('rsa-1', 'RS256')) } }),
      /signature is wrong/,
    ],
    [
      'that brings its own key and key address',
      async () => {
        const own = await makeKey('own', 'RS256');
        return token({ key: own, header: { jwk: own.jwk, jku: `${issuer}/jwks`, x5u: `${issuer}/jwks` } });
      },
      /key that the identity provider does not have/,
    ],
  ];

  it.each(refusals)('refuses a token %s', async (_what, make, words) => {
    const refused = verifier()(await make());
    await expect(refused).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringMatching(words) as unknown,
    });
  });

  it('follows the rotation of keys, and asks again at most once in the cooldown', async () => {
    const verify = verifier({ cooldownMs: 60_000 });
    await verify(await token());
    const next = await makeKey('rsa-2', 'RS256');
    published = [next];
    await expect(verify(await token({ key: next }))).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(reads).toBe(1);

    const eager = verifier();
    published = [rsa];
    await eager(await token());
    published = [next];
    await expect(eager(await token({ key: next }))).resolves.toBeDefined();
    await expect(eager(await token({ claims: { fresh: 1 } }))).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('says unavailable while the provider is down, and works when it is back', async () => {
    down = true;
    const verify = verifier();
    await expect(verify(await token())).rejects.toMatchObject({ code: 'unavailable' });
    down = false;
    await expect(verify(await token())).resolves.toBeDefined();
    down = true;
    await expect(verify(await token({ claims: { another: true } }))).resolves.toBeDefined();
  });

  it('uses known keys while the provider is down, until they are too old', async () => {
    const verify = verifier({ freshMs: 0, staleMs: 60_000 });
    await verify(await token());
    down = true;
    await expect(verify(await token({ claims: { n: 1 } }))).resolves.toBeDefined();
    const strict = verifier({ freshMs: 0, staleMs: 0 });
    await expect(strict(await token({ claims: { n: 2 } }))).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('remembers a verified token, but never beyond its end', async () => {
    const verify = verifier();
    const short = await token({ expires: now() + 1 });
    expect(await verify(short)).toBe(await verify(short));
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    // Within the tolerance for clocks it is still good, but it is looked at anew each time.
    expect(await verify(short)).not.toBe(await verify(short));
  });
});
