import { lstatSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';

/** The user that PostgreSQL runs as; empty when it is the present one. */
export type ServerIdentity = { uid: number; gid: number } | { uid?: undefined; gid?: undefined };

/** Users that exist on most machines and own little; the first that is there runs the server when we are root. */
const candidates = ['postgres', 'nobody'] as const;

/** PostgreSQL refuses to run as root, so root hands it to an unprivileged user that the machine already has. */
export function serverIdentity(): ServerIdentity {
  if (process.getuid?.() !== 0) return {};
  for (const user of candidates) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // The next candidate may exist.
    }
  }
  throw new Error(`PostgreSQL cannot run as root, and this machine has none of the users ${candidates.join(', ')}.`);
}

/** Whether the server's user may enter a folder and every folder above it. Folders that do not exist yet count as enterable. */
export function canReach(path: string, identity: ServerIdentity): boolean {
  if (identity.uid === undefined) return true;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const bit = stat.uid === identity.uid ? 0o100 : stat.gid === identity.gid ? 0o010 : 0o001;
      if ((stat.mode & bit) === 0) return false;
    }
    if (folder === dirname(folder)) return true;
  }
}

/** A folder outside the checkout, of root alone, that every user can enter. */
export async function sharedFolder(): Promise<string> {
  const folder = '/var/tmp/lily-postgres';
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== 0 || (stat.mode & 0o022) !== 0) {
    throw new Error(`${folder} is not a folder that only root can write; remove it and start again.`);
  }
  return folder;
}
