import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { megabytes, type TaskProgress } from '../progress.ts';
import { artefactDir, provision, type Artefact } from './artefact.ts';
import { runCommand } from './command.ts';
import { lockDigest, lockFilePath, readLockFile } from './lock-file.ts';
import { PYTHON } from './tools.ts';

const REQUIREMENTS = join(import.meta.dirname, 'jgo-requirements.txt');

const jgo: Artefact = {
  name: 'jgo',
  version: '3.2.0',
  async fill(folder, progress) {
    progress.running('installs the Maven client');
    await runCommand(
      PYTHON,
      // prettier-ignore
      ['-m', 'pip', 'install', '--quiet', '--no-deps', '--require-hashes', '--only-binary', ':all:',
        '--target', folder, '--requirement', REQUIREMENTS],
      { purpose: 'Installing the Maven client' },
    );
  },
};

/** A server that comes as a set of jars. */
export interface JarServer {
  readonly title: string;
  readonly artefact: Artefact;
}

const tickSchema = z.object({ files: z.number(), bytes: z.number() });

/** Describes a server by its committed lock file (`<server>.lock.json`). */
export function jarServer(server: string, title: string, version: string): JarServer {
  const lock = readLockFile(server);
  const totalBytes = lock.files.reduce((sum, file) => sum + file.bytes, 0);
  const fill = async (folder: string, progress: TaskProgress): Promise<void> => {
    const client = await provision(jgo, progress);
    progress.running(`downloads ${title} (${lock.files.length} files, ${megabytes(totalBytes)})`);
    await runCommand(PYTHON, [join(import.meta.dirname, 'maven-fetch.py'), lockFilePath(server), folder], {
      purpose: `The download of ${title}`,
      env: { PYTHONPATH: client, PYTHONDONTWRITEBYTECODE: '1' },
      onLine: (line) => {
        const tick = parseTick(line);
        if (tick === undefined) return;
        const done = `${tick.files}/${lock.files.length} files, ${megabytes(tick.bytes)} of ${megabytes(totalBytes)}`;
        progress.running(`downloads ${title}: ${done}`);
      },
    });
    rmSync(join(folder, '.repository'), { recursive: true, force: true });
    copyFileSync(lockFilePath(server), join(folder, 'lock.json'));
  };
  return { title, artefact: { name: server, version: `${version}-${lockDigest(lock)}`, fill } };
}

/** The class path of a provisioned server. */
export function classPath(server: JarServer): string {
  return join(artefactDir(server.artefact), '*');
}

function parseTick(line: string): z.infer<typeof tickSchema> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return tickSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
