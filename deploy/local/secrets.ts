import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { StackError } from './failure.ts';

const secretsSchema = z.object({
  neo4jPassword: z.string().min(8),
  /** Base64 of 32 bytes. */
  secretKey: z.string().refine((text) => Buffer.from(text, 'base64').length === 32),
  oidcClientSecret: z.string().min(32),
  oidcCookieKey: z.string().min(32),
});

export type StackSecrets = z.infer<typeof secretsSchema>;

/**
 * The secrets of one stack, made on first use and kept in a file that only its owner reads.
 *
 * @throws {StackError} when the file was damaged.
 */
export function loadSecrets(file: string): StackSecrets {
  if (!existsSync(file)) writeSecrets(file);
  const parsed = secretsSchema.safeParse(parseJson(readFileSync(file, 'utf8')));
  if (!parsed.success) {
    throw new StackError(`${file} does not hold this stack's secrets any more; run "npm run reset" to make new ones.`);
  }
  return parsed.data;
}

function writeSecrets(file: string): void {
  const secrets: StackSecrets = {
    neo4jPassword: randomBytes(18).toString('base64url'),
    secretKey: randomBytes(32).toString('base64'),
    oidcClientSecret: randomBytes(32).toString('base64url'),
    oidcCookieKey: randomBytes(32).toString('base64url'),
  };
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
