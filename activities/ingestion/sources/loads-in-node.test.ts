import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

// The test runner finds names in CommonJS packages that Node itself does not; the worker is started by Node.
test('every source can be imported by Node itself', async () => {
  const { href } = new URL('./index.ts', import.meta.url);
  const script = `await import(${JSON.stringify(href)}); process.stdout.write('loaded')`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(stdout).toBe('loaded');
}, 30_000);
