import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StackError } from '../failure.ts';
import { cacheDir } from '../paths.ts';
import { withFileLock } from '../process/file-lock.ts';
import type { TaskProgress } from '../progress.ts';

/** Something that is downloaded or built once and then only used. */
export interface Artefact {
  readonly name: string;
  /** Stands in the path, so that another version never overwrites this one. */
  readonly version: string;
  /** Fills an empty folder. Whatever it leaves there was verified. */
  readonly fill: (folder: string, progress: TaskProgress) => Promise<void>;
}

/** The folder of an artefact, whether or not it is there yet. */
export function artefactDir(artefact: Pick<Artefact, 'name' | 'version'>): string {
  return join(cacheDir(), artefact.name, artefact.version);
}

export function isProvisioned(artefact: Pick<Artefact, 'name' | 'version'>): boolean {
  return existsSync(artefactDir(artefact));
}

/**
 * Makes sure that an artefact is in the cache and returns its folder. The folder appears whole or not at all, and two
 * commands that want the same artefact at once fetch it once.
 */
export async function provision(artefact: Artefact, progress: TaskProgress): Promise<string> {
  const folder = artefactDir(artefact);
  if (existsSync(folder)) return folder;
  const lock = join(dirname(folder), `.${basename(folder)}.lock`);
  const onWait = (pid: number): void => progress.running(`waits for process ${pid}, which fetches the same files`);
  return withFileLock(
    lock,
    async () => {
      if (existsSync(folder)) return folder;
      const draft = join(dirname(folder), `.${basename(folder)}.partial`);
      rmSync(draft, { recursive: true, force: true });
      mkdirSync(draft, { recursive: true });
      try {
        await artefact.fill(draft, progress);
        renameSync(draft, folder);
      } finally {
        rmSync(draft, { recursive: true, force: true });
      }
      return folder;
    },
    { onWait },
  );
}

/** @throws {StackError} when a file is not the one that was pinned. */
export async function verifySha256(file: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const actual = hash.digest('hex');
  if (actual !== expected) {
    throw new StackError(
      `${basename(file)} was not accepted: its SHA-256 checksum is ${actual}, but ${expected} is expected.`,
    );
  }
}
