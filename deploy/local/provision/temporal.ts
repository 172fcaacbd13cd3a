import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TaskProgress } from '../progress.ts';
import { artefactDir, isProvisioned, provision, type Artefact } from './artefact.ts';
import { runCommand } from './command.ts';

const run = promisify(execFile);

const MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const NEEDED_FLAGS = ['--db-filename', '--search-attribute', '--dynamic-config-value', '--sqlite-pragma'];

/** The Temporal CLI with its development server and Web UI, built from its Go module; Go verifies the sources. */
export const temporalCli: Artefact = {
  name: 'temporal',
  version: '1.5.1',
  async fill(folder, progress) {
    const startedAt = Date.now();
    const say = (detail: string): void => {
      const seconds = Math.round((Date.now() - startedAt) / 1000);
      progress.running(`builds Temporal from source; the first time takes some minutes (${seconds} s, ${detail})`);
    };
    let packages = 0;
    let modules = 0;
    const ticker = setInterval(() => say(`${packages} packages`), 1000);
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    try {
      say('starting');
      await runCommand('go', ['install', '-v', '-trimpath', '-ldflags=-s -w', MODULE], {
        purpose: 'Building Temporal',
        env: { GOBIN: bin, GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' },
        onLine: (line) => {
          if (line.startsWith('go: downloading')) modules += 1;
          else packages += 1;
          say(packages === 0 ? `${modules} modules downloaded` : `${packages} packages`);
        },
      });
    } finally {
      clearInterval(ticker);
    }
    const [name = 'temporal'] = readdirSync(bin);
    renameSync(join(bin, name), join(folder, 'temporal'));
    rmSync(bin, { recursive: true });
  },
};

let onPath: Promise<string | undefined> | undefined;

/** A `temporal` of the machine that can do what is needed, or undefined. */
export function findTemporalOnPath(): Promise<string | undefined> {
  onPath ??= (async () => {
    try {
      const { stdout: version } = await run('temporal', ['--version'], { timeout: 20_000 });
      const { stdout: help } = await run('temporal', ['server', 'start-dev', '--help'], { timeout: 20_000 });
      return isGoodTemporal(version, help) ? 'temporal' : undefined;
    } catch {
      return undefined;
    }
  })();
  return onPath;
}

/** Judges a Temporal CLI by what it says of itself: server 1.28 or later, and every option that the stack uses. */
export function isGoodTemporal(version: string, help: string): boolean {
  const [, major, minor] = /Server (\d+)\.(\d+)/.exec(version) ?? [];
  const newEnough = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 28);
  return newEnough && NEEDED_FLAGS.every((flag) => help.includes(flag));
}

/** Whether `go` is needed to get a Temporal server. */
export async function needsTemporalBuild(): Promise<boolean> {
  return !isProvisioned(temporalCli) && (await findTemporalOnPath()) === undefined;
}

/** Returns the path of a usable `temporal`, building it when there is none. */
export async function provisionTemporal(progress: TaskProgress): Promise<string> {
  return (await findTemporalOnPath()) ?? join(await provision(temporalCli, progress), 'temporal');
}

/** The `temporal` that {@link provisionTemporal} has made sure of. */
export async function temporalCommand(): Promise<string> {
  return (await findTemporalOnPath()) ?? join(artefactDir(temporalCli), 'temporal');
}
