import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { launch, signalAndWait, stopProcess } from './lifecycle.ts';
import { identifyProcess, isGroupAlive, isSameProcess, parseStat } from './process-identity.ts';
import { readLiveProcess, readRunFile, writeRunFile } from './run-file.ts';

let folder: string;
let runFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lily-run-'));
  runFile = join(folder, 'run', 'thing.json');
});

afterEach(async () => {
  await signalAndWait(runFile, 'SIGKILL', 5000);
  rmSync(folder, { recursive: true, force: true });
});

function launchScript(script: string): ReturnType<typeof launch> {
  const plan = { command: process.execPath, args: ['-e', script], cwd: folder };
  return launch(plan, runFile, join(folder, 'thing.log'));
}

const FOREVER = 'setInterval(() => {}, 1000)';

describe('a recorded process', () => {
  test('is known by its record as long as it lives', async () => {
    const { pid } = await launchScript(FOREVER);
    expect(readLiveProcess(runFile)?.pid).toBe(pid);
    await stopProcess(runFile, 5000);
    expect(identifyProcess(pid)).toBeUndefined();
    expect(readRunFile(runFile)).toBeUndefined();
  });

  test('is not taken for another one that was given its pid', async () => {
    const stranger = spawn(process.execPath, ['-e', FOREVER], { detached: true, stdio: 'ignore' });
    const pid = stranger.pid ?? 0;
    try {
      await sleep(50);
      writeRunFile(runFile, { pid, startedAt: 'an-earlier-boot/12345' }, 'node');
      expect(readLiveProcess(runFile)).toBeUndefined();
      await stopProcess(runFile, 5000);
      expect(identifyProcess(pid)).toBeDefined();
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  test('ends with the children that it started, even when it died before them', async () => {
    const nested = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(FOREVER)}], {stdio: 'ignore'}); ${FOREVER}`;
    const { pid } = await launchScript(nested);
    await sleep(300);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => identifyProcess(pid)).toBeUndefined();
    expect(isGroupAlive(pid)).toBe(true);
    await stopProcess(runFile, 5000);
    expect(isGroupAlive(pid)).toBe(false);
  });

  test('is killed when it does not heed SIGTERM', async () => {
    const { pid } = await launchScript(`process.on('SIGTERM', () => {}); console.log('ready'); ${FOREVER}`);
    await sleep(300);
    await stopProcess(runFile, 200);
    expect(identifyProcess(pid)).toBeUndefined();
  });

  test('that cannot be started is a clear failure', async () => {
    const plan = { command: '/nowhere/mongod', args: [], cwd: folder };
    await expect(launch(plan, runFile, join(folder, 'thing.log'))).rejects.toThrow('/nowhere/mongod cannot be started');
  });
});

test.each(['', '{', '{"pid":1,"startedAt":"x","command":""}', '{"pid":"7"}', '{"pid":4,"command":""}'])(
  'a damaged record %j counts as none',
  (text) => {
    const file = join(folder, 'damaged.json');
    writeFileSync(file, text);
    expect(readRunFile(file)).toBeUndefined();
  },
);

describe('the identity of a process', () => {
  test('is stable, and differs between processes', () => {
    const self = identifyProcess(process.pid);
    expect(self).toBeDefined();
    expect(self && isSameProcess(self)).toBe(true);
    expect(identifyProcess(process.ppid)?.startedAt).not.toBe(self?.startedAt);
  });

  test('is read from a stat line whose program name holds spaces and parentheses', () => {
    const tail = `S 1 4242 ${'0 '.repeat(16)}98765 0 0`;
    expect(parseStat(`4242 (odd) name (x)) ${tail}`)).toEqual({ state: 'S', group: 4242, startTicks: '98765' });
    expect(parseStat('garbage')).toBeUndefined();
  });
});
