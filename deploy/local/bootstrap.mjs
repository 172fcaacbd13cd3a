/**
 * Runs a TypeScript file of the project: `node deploy/local/bootstrap.mjs <script.ts> [args…]`.
 *
 * It is what every npm script goes through, so that a fresh clone needs nothing else: when the npm dependencies are
 * missing or not those of package-lock.json it runs `npm ci` first (saying so on stderr, since stdout belongs to the
 * script), and then hands over to the Node that came with them. It runs on any Node from 18 on, and therefore uses
 * nothing but Node's own modules.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const MODULES = join(CHECKOUT, 'node_modules');
const NODE = join(MODULES, '.bin/node');
const HASH_FILE = join(MODULES, '.lily-lock-hash');
const LOCK_FILE = join(CHECKOUT, '.lily', 'npm-ci.lock');
const POLL_MS = 500;
/** A lock is written right after it is made; one that is still empty after this was left by a process that died. */
const EMPTY_LOCK_MS = 5000;
const QUIET_WARNINGS = ['ExperimentalWarning', 'TimeoutNegativeWarning'].map((name) => `--disable-warning=${name}`);

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(CHECKOUT, 'package-lock.json')))
    .digest('hex');
}

/**
 * Whether node_modules is what package-lock.json asks for. npm leaves a copy of what it installed in
 * node_modules/.package-lock.json; when that is newer than our note, somebody ran npm themselves, and npm was right.
 */
function isInstalled() {
  if (!existsSync(NODE)) return false;
  if (existsSync(HASH_FILE) && readFileSync(HASH_FILE, 'utf8').trim() === lockHash()) return true;
  const npmNote = join(MODULES, '.package-lock.json');
  if (!existsSync(npmNote)) return false;
  const installedAfterLock = statSync(npmNote).mtimeMs >= statSync(join(CHECKOUT, 'package-lock.json')).mtimeMs;
  if (installedAfterLock) writeFileSync(HASH_FILE, `${lockHash()}\n`);
  return installedAfterLock;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock unless a living process has it. */
function tryLock() {
  mkdirSync(dirname(LOCK_FILE), { recursive: true });
  try {
    const file = openSync(LOCK_FILE, 'wx');
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    const holder = Number(readFileSync(LOCK_FILE, 'utf8'));
    const abandoned = holder > 0 ? !isAlive(holder) : Date.now() - statSync(LOCK_FILE).mtimeMs > EMPTY_LOCK_MS;
    if (abandoned) rmSync(LOCK_FILE, { force: true });
  } catch {
    // Released between the two looks at it: the next attempt gets it.
  }
  return false;
}

function sleep(ms) {
  return new Promise((wake) => setTimeout(wake, ms));
}

/**
 * Installs what package-lock.json says. `npm ci` refuses a lock that lacks a package for another platform, which happens
 * where the registry in use does not have it; `npm install --no-save` keeps to the same versions and does not refuse.
 *
 * @returns what went wrong, or undefined
 */
function installDependencies() {
  const strict = npm('ci');
  if (strict === undefined) return undefined;
  const lenient = npm('install', '--no-save');
  return lenient === undefined ? undefined : strict;
}

/** Runs npm quietly; its stdout is not ours to use. Returns the first thing that it complained about. */
function npm(...args) {
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const result = spawnSync(command, [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: CHECKOUT,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64_000_000,
    env: { ...process.env, NODE_ENV: 'development' },
  });
  if (result.error) return `npm cannot be run: ${result.error.message}`;
  if (result.status === 0) return existsSync(NODE) ? undefined : 'npm left no Node in node_modules';
  const complaint = result.stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!)\s*/, ''));
  return (
    complaint.find((line) => line !== '' && !line.startsWith('code ')) ??
    `npm ${args[0]} ended with ${result.status ?? result.signal}`
  );
}

async function install() {
  let told = false;
  while (!tryLock()) {
    if (!told) process.stderr.write('Waiting for another command, which installs the npm dependencies…\n');
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(LOCK_FILE, { force: true });
  process.once('exit', release);
  if (!isInstalled()) {
    const startedAt = Date.now();
    process.stderr.write('Installing the npm dependencies; this takes a minute the first time…\n');
    const problem = installDependencies();
    if (problem !== undefined) {
      process.stderr.write(
        `The npm dependencies could not be installed (${problem}): mend that and run the command again.\n`,
      );
      process.exit(1);
    }
    writeFileSync(HASH_FILE, `${lockHash()}\n`);
    process.stderr.write(`Installed the npm dependencies in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`);
  }
  release();
}

function run(script, args) {
  const child = spawn(NODE, [...QUIET_WARNINGS, script, ...args], { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child as well; a signal sent to this process alone has to be handed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(
      `Node in node_modules cannot be started (${error.message}); delete node_modules and try again.\n`,
    );
    process.exit(1);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write('usage: node deploy/local/bootstrap.mjs <script.ts> [args…]\n');
  process.exit(2);
}
if (!isInstalled()) await install();
run(resolve(script), args);
