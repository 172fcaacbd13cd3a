import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StackError } from '../failure.ts';

const PATH = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9._-]+){3,}\.jar$/;

const lockSchema = z.strictObject({
  /** What was asked for: `group:artifact:version`. */
  roots: z.array(z.string().regex(/^[\w.-]+:[\w.-]+:[\w.-]+$/)).min(1),
  /** Every file that it takes, by its path in the repository. */
  files: z
    .array(
      z.strictObject({
        path: z.string().regex(PATH, 'is not the path of a jar in a Maven repository'),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 checksum'),
        bytes: z.number().int().positive(),
      }),
    )
    .min(1)
    .refine((files) => new Set(files.map((file) => file.path.split('/').at(-1))).size === files.length, {
      error: 'two files share a name, but all are put into one folder',
    }),
});

/** The exact files that make up one server. */
export type LockFile = z.infer<typeof lockSchema>;

/** @throws {StackError} when the text is not a lock file; the sentence names the first fault. */
export function parseLockFile(name: string, text: string): LockFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new StackError(`${name} is not JSON.`);
  }
  const parsed = lockSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new StackError(`${name} is not a lock file: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`);
}

/** A lock file beside this module, by the server's name. */
export function lockFilePath(server: string): string {
  return join(import.meta.dirname, `${server}.lock.json`);
}

export function readLockFile(server: string): LockFile {
  const path = lockFilePath(server);
  return parseLockFile(`${server}.lock.json`, readFileSync(path, 'utf8'));
}

/** Tells one set of files from another, so that a changed lock is fetched anew even for the same server version. */
export function lockDigest(lock: LockFile): string {
  return createHash('sha256').update(JSON.stringify(lock.files)).digest('hex').slice(0, 8);
}
