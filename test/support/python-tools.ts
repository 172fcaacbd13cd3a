import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import { taskProgress, type OnProgress } from '#deploy/local/progress.ts';
import { provisionPythonTools } from '#deploy/local/provision/python-tools.ts';

const run = promisify(execFile);

export interface PythonRun {
  /** 0 when it ended well. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface PythonRunOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  timeoutMs?: number;
}

/** Runs a program of the environment: `python`, `dbt`, `dbt-ol`. */
export type PythonTools = (program: string, args: readonly string[], options?: PythonRunOptions) => Promise<PythonRun>;

/** Installs the Python tools unless they are there. `npm test` does it before the tests, so that these need not wait. */
export async function openPythonTools(onProgress: OnProgress = () => undefined): Promise<PythonTools> {
  const bin = await provisionPythonTools(taskProgress('python tools', onProgress));
  return async (program, args, { cwd, env, timeoutMs = 60_000 } = {}) => {
    const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
    // Nothing of the caller's own configuration, and no news of versions, from the outside.
    const settings = { PYTHONDONTWRITEBYTECODE: '1', DO_NOT_TRACK: '1', DBT_SEND_ANONYMOUS_USAGE_STATS: 'false' };
    try {
      const { stdout, stderr } = await run(program, [...args], {
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...process.env, ...settings, ...env, PATH: path },
        timeout: timeoutMs,
        maxBuffer: 64 * 1024 * 1024,
      });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
      if (typeof code !== 'number') throw error;
      return { code, stdout, stderr };
    }
  };
}
