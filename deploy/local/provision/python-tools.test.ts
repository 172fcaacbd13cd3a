import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { venvTool } from './python-tools.ts';

const lock = readFileSync(join(import.meta.dirname, 'python-tools.txt'), 'utf8');

describe('the Python tools', () => {
  test('are pinned one by one, each by checksum', () => {
    const entries = lock.split(/^(?=\S)/m).filter((entry) => !entry.startsWith('#'));
    expect(entries.length).toBeGreaterThan(50);
    for (const entry of entries) expect(entry).toMatch(/^[\w.-]+==[\w.]+ [^]*--hash=sha256:[0-9a-f]{64}/);
  });

  test.each(['dbt-core', 'dbt-duckdb', 'openlineage-dbt', 'openlineage-python', 'httpx'])('have %s', (name) => {
    expect(lock).toMatch(new RegExp(`^${name}==`, 'm'));
  });

  test.each([
    ['True 3.11.7 (main)', true],
    ['False 3.9.18 (main)', false],
  ])('take a Python that says %j: %j', (output, good) => {
    expect(venvTool().accepts(output)).toBe(good);
  });
});
