import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TaskProgress } from '../progress.ts';
import { artefactDir, provision, type Artefact } from './artefact.ts';
import { runCommand } from './command.ts';
import { PYTHON, requireTool, type Tool } from './tools.ts';

const run = promisify(execFile);

const REQUIREMENTS = join(import.meta.dirname, 'python-tools.txt');

/** The Python that dbt and the OpenLineage clients run on; every version here has wheels of all that is pinned. */
export function venvTool(): Tool {
  return {
    name: 'Python 3.10 to 3.14 with venv',
    use: 'run dbt and the OpenLineage clients in the tests',
    command: PYTHON,
    args: ['-c', 'import sys, venv, ensurepip; print((3, 10) <= sys.version_info < (3, 15), sys.version)'],
    accepts: (output) => output.includes('True'),
  };
}

/**
 * Makes sure of a virtual environment with a genuine dbt (DuckDB is its warehouse), `dbt-ol`, and openlineage-python, all
 * pinned by checksum in `python-tools.txt`. Only tests use it.
 *
 * @returns the folder of its programs (`python`, `dbt`, `dbt-ol`); put it first in PATH, because `dbt-ol` looks for `dbt` there
 */
export async function provisionPythonTools(progress: TaskProgress): Promise<string> {
  await requireTool(venvTool());
  return join(await provision(await pythonTools(), progress), 'bin');
}

async function pythonTools(): Promise<Artefact> {
  const requirements = readFileSync(REQUIREMENTS, 'utf8');
  const digest = createHash('sha256').update(requirements).digest('hex').slice(0, 8);
  // An environment serves only the Python that it was made with, so that one stands in the path too.
  const says = 'import sys; print("%d.%d" % sys.version_info[:2])';
  const { stdout } = await run(PYTHON, ['-c', says], { timeout: 30_000 });
  const about = { name: 'python-tools', version: `${digest}-python${stdout.trim()}` };
  return { ...about, fill: (folder, progress) => fill(folder, artefactDir(about), packagesOf(requirements), progress) };
}

async function fill(draft: string, final: string, packages: number, progress: TaskProgress): Promise<void> {
  const purpose = 'Installing dbt and the OpenLineage clients';
  progress.running('makes an environment for dbt and the OpenLineage clients');
  await runCommand(PYTHON, ['-m', 'venv', draft], { purpose });
  let fetched = 0;
  await runCommand(
    join(draft, 'bin', 'python'),
    // prettier-ignore
    ['-m', 'pip', 'install', '--no-deps', '--require-hashes', '--only-binary', ':all:', '--progress-bar', 'off',
      '--no-input', '--disable-pip-version-check', '--requirement', REQUIREMENTS],
    {
      purpose,
      onLine: (line) => {
        if (line.startsWith('Installing ')) progress.running('installs dbt and the OpenLineage clients');
        if (!line.startsWith('Collecting ')) return;
        fetched += 1;
        progress.running(`downloads dbt and the OpenLineage clients: ${fetched} of about ${packages} packages`);
      },
    },
  );
  moveScripts(join(draft, 'bin'), draft, final);
}

/** Programs of an environment say in their first line where its Python is; this one is moved to its place when it is whole. */
function moveScripts(folder: string, from: string, to: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    // Links lead to the machine's Python.
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const text = readFileSync(path, 'utf8');
    if (text.includes(from)) writeFileSync(path, text.replaceAll(from, to));
  }
}

function packagesOf(requirements: string): number {
  return requirements.match(/^[\w.-]+==/gm)?.length ?? 0;
}
