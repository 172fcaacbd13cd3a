import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLock, withFileLock } from './file-lock.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lily-lock-'));
  file = join(folder, 'thing.lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file lock', () => {
  test('lets one in at a time, and tells who waits', async () => {
    let inside = 0;
    let most = 0;
    const told: number[] = [];
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await sleep(30);
      inside -= 1;
    };
    const onWait = (pid: number): void => void told.push(pid);
    await Promise.all([1, 2, 3].map(() => withFileLock(file, work, { onWait, pollMs: 5 })));
    expect(most).toBe(1);
    expect(told).toEqual([process.pid, process.pid]);
    expect(existsSync(file)).toBe(false);
  });

  test('is released when the work fails', async () => {
    await expect(withFileLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(file)).toBe(false);
  });

  test.each([
    ['of a process that ended', () => `${spawnSync(process.execPath, ['-e', '']).pid} some-boot/1\n`],
    ['whose pid was reused', () => `${process.pid} an-earlier-boot/1\n`],
    ['that is damaged', () => 'x'],
    ['that is empty', () => ''],
  ])('%s is taken over', async (_, content) => {
    writeFileSync(file, content());
    await expect(withFileLock(file, async () => 'done', { pollMs: 5 })).resolves.toBe('done');
  });

  test.each(['', '12', '12 \n', 'x y\n', '12 boot/1'])('content %j is no lock', (text) => {
    expect(parseLock(text)).toBeUndefined();
  });

  test('content is read back', () => {
    expect(parseLock('12 boot/1\n')).toEqual({ pid: 12, startedAt: 'boot/1' });
  });
});
