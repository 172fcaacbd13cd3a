import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

export const SIGNING_ALG = 'ES256';

/** The provider's key set, made once and kept so that tokens outlive a restart. Only its owner reads the file. */
export async function loadSigningKeys(file: string): Promise<{ keys: JWK[] }> {
  if (!existsSync(file)) await makeSigningKeys(file);
  return JSON.parse(readFileSync(file, 'utf8')) as { keys: JWK[] };
}

async function makeSigningKeys(file: string): Promise<void> {
  const { privateKey } = await generateKeyPair(SIGNING_ALG, { extractable: true });
  const jwk = await exportJWK(privateKey);
  const key = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: SIGNING_ALG, use: 'sig' };
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ keys: [key] }, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}
