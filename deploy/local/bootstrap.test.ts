import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** Stands in for npm: notes how it was called, and "installs" a Node that is this test's own. */
const FAKE_NPM = `#!${process.execPath}
const { appendFileSync, mkdirSync, symlinkSync, existsSync } = require('node:fs');
appendFileSync('npm-calls', process.argv[2] + '\\n');
console.log('npm says much on stdout');
const fails = (process.env.FAKE_NPM_FAILS ?? '').split(',');
if (fails.includes(process.argv[2])) {
  console.error('npm error code EFAKE\\nnpm error something is out of order');
  process.exit(1);
}
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
mkdirSync('node_modules/.bin', { recursive: true });
if (!existsSync('node_modules/.bin/node')) symlinkSync(process.execPath, 'node_modules/.bin/node');
`;

let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'lily-bootstrap-'));
  mkdirSync(join(checkout, 'deploy/local'), { recursive: true });
  mkdirSync(join(checkout, 'bin'));
  cpSync(join(import.meta.dirname, 'bootstrap.mjs'), join(checkout, 'deploy/local/bootstrap.mjs'));
  writeFileSync(join(checkout, 'package-lock.json'), '{"lockfileVersion":3}');
  writeFileSync(join(checkout, 'bin/npm'), FAKE_NPM);
  chmodSync(join(checkout, 'bin/npm'), 0o755);
  writeFileSync(
    join(checkout, 'hello.mjs'),
    `console.log('hello ' + process.argv.slice(2).join(' ')); process.exitCode = 7;`,
  );
});

afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function environment(fails: string): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${join(checkout, 'bin')}${delimiter}${process.env['PATH']}`, FAKE_NPM_FAILS: fails };
}

function bootstrap(args: readonly string[], fails = ''): { status: number | null; stdout: string; stderr: string } {
  const bootstrapper = join(checkout, 'deploy/local/bootstrap.mjs');
  return spawnSync(process.execPath, [bootstrapper, ...args], {
    cwd: checkout,
    encoding: 'utf8',
    env: environment(fails),
  });
}

function npmCalls(): string[] {
  const file = join(checkout, 'npm-calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

describe('bootstrap', () => {
  test('installs first, says so on stderr only, and hands on arguments and exit code', () => {
    const { status, stdout, stderr } = bootstrap(['hello.mjs', '--to', 'you']);
    expect(stdout).toBe('hello --to you\n');
    expect(stderr).toMatch(/^Installing the npm dependencies.*\nInstalled the npm dependencies in \d+ s\.\n$/);
    expect(status).toBe(7);
    expect(npmCalls()).toEqual(['ci']);
  });

  test('installs once, and again when the lock file changed', () => {
    bootstrap(['hello.mjs']);
    expect(bootstrap(['hello.mjs']).stderr).toBe('');
    expect(npmCalls()).toEqual(['ci']);
    writeFileSync(join(checkout, 'package-lock.json'), '{"lockfileVersion":3,"name":"other"}');
    bootstrap(['hello.mjs']);
    expect(npmCalls()).toEqual(['ci', 'ci']);
  });

  test('falls back to npm install when npm ci refuses the lock', () => {
    expect(bootstrap(['hello.mjs'], 'ci').stdout).toBe('hello \n');
    expect(npmCalls()).toEqual(['ci', 'install']);
  });

  test('says in one sentence why nothing could be installed, and runs nothing', () => {
    const { status, stdout, stderr } = bootstrap(['hello.mjs'], 'ci,install');
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.split('\n')[1]).toBe(
      'The npm dependencies could not be installed (something is out of order): mend that and run the command again.',
    );
    expect(existsSync(join(checkout, '.lily/npm-ci.lock'))).toBe(false);
  });

  test('two at once install once', async () => {
    const run = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [join(checkout, 'deploy/local/bootstrap.mjs'), 'hello.mjs'], {
          cwd: checkout,
          env: environment(''),
        });
        let stdout = '';
        child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
        child.once('error', reject);
        child.once('close', () => resolve(stdout));
      });
    expect(await Promise.all([run(), run()])).toEqual(['hello \n', 'hello \n']);
    expect(npmCalls()).toEqual(['ci']);
  });

  test('takes over the lock of a bootstrap that died', () => {
    mkdirSync(join(checkout, '.lily'));
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(checkout, '.lily/npm-ci.lock'), String(pid));
    expect(bootstrap(['hello.mjs']).stdout).toBe('hello \n');
  });

  test('hands a signal on to the script', async () => {
    writeFileSync(
      join(checkout, 'wait.mjs'),
      `process.on('SIGTERM', () => { console.log('ended well'); process.exit(0); }); console.log('ready'); setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [join(checkout, 'deploy/local/bootstrap.mjs'), 'wait.mjs'], {
      cwd: checkout,
      env: environment(''),
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout === 'ready\n') child.kill('SIGTERM');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stdout).toBe('ready\nended well\n');
    expect(code).toBe(0);
  });
});
