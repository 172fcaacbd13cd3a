import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from '#deploy/local/paths.ts';
import { openPythonTools, type PythonRun } from './python-tools.ts';

/** A copy of the dbt project in `test/fixtures/dbt-shop`, with a DuckDB of its own as its warehouse. */
export interface DbtProject {
  folder: string;
  /** Runs `dbt`, or another program of the Python tools, in the project. */
  run: (
    program: 'dbt' | 'dbt-ol',
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ) => Promise<PythonRun>;
  /** Replaces a part of one of the project's files. */
  edit: (file: string, from: string, to: string) => Promise<void>;
  /** What dbt left in the folder `target`. */
  artifact: (name: string) => Promise<string>;
  remove: () => Promise<void>;
}

export async function dbtProject(): Promise<DbtProject> {
  const run = await openPythonTools();
  const folder = await mkdtemp(join(tmpdir(), 'lily-dbt-'));
  await cp(join(CHECKOUT, 'test/fixtures/dbt-shop'), folder, { recursive: true });
  return {
    folder,
    run: (program, args, env) =>
      run(program, args, {
        cwd: folder,
        env: { SHOP_DATABASE: join(folder, 'shop.duckdb'), DBT_PROFILES_DIR: folder, ...env },
        timeoutMs: 120_000,
      }),
    async edit(file, from, to) {
      const path = join(folder, file);
      const before = await readFile(path, 'utf8');
      if (!before.includes(from)) throw new Error(`${file} does not contain ${from}`);
      await writeFile(path, before.replace(from, to));
    },
    artifact: (name) => readFile(join(folder, 'target', `${name}.json`), 'utf8'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
