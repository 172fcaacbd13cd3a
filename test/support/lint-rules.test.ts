import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '#deploy/local/paths.ts';

/** Files with one planted line each; what follows the arrow is the rule that must object, if any. */
const planted = {
  'domain/a.ts': [
    ["import { z } from 'zod';"],
    ["import { defineSearchAttributeKey } from '@temporalio/common';"],
    ["import { x } from '#domain/b.ts';"],
    ["import { x } from '../b.ts';"],
    ["import { x } from 'node:fs';", 'imports'],
    ["import { x } from 'fs';", 'imports'],
    ["import type { x } from 'mongodb';", 'imports'],
    ["import { x } from '@temporalio/workflow';", 'imports'],
    ["import type { x } from '#platform/a.ts';", 'imports'],
    ["import { x } from '../../platform/a.ts';", 'imports'],
  ],
  'platform/mongo/a.ts': [
    ["import { x } from 'mongodb';"],
    ["import { x } from '#domain/a.ts';"],
    ["import { x } from 'kafkajs';", 'imports'],
    ["import type { x } from '#activities/a/b.ts';", 'imports'],
    ["import { x } from '../../api/a.ts';", 'imports'],
  ],
  'platform/kafka/a.ts': [["import { x } from 'kafkajs';"], ["import { x } from '#workers/a.ts';", 'imports']],
  'workflows/ingestion/a.ts': [
    ["import { x } from '@temporalio/workflow';"],
    ["import { x } from '#domain/a.ts';"],
    ["import { x } from '../propagation/a.ts';"],
    ["import type { x } from '#activities/ingestion/index.ts';"],
    ["import { x } from '#activities/ingestion/index.ts';", 'imports'],
    ["import { x } from 'node:crypto';", 'imports'],
    ["import { x } from '@temporalio/client';", 'imports'],
    ["import { x } from '#platform/a.ts';", 'imports'],
    ["import { x } from '../../activities/ingestion/a.ts';", 'imports'],
  ],
  'activities/ingestion/sources/a.ts': [
    ["import { x } from '../a.ts';"],
    ["import { x } from '../../shared.ts';"],
    ["import { x } from '#platform/a.ts';"],
    ["import { x } from 'node:crypto';"],
    ["import { x } from '../../transformation/a.ts';", 'imports'],
    ["import { x } from '#activities/transformation/a.ts';", 'imports'],
    ["import { x } from '#workflows/a.ts';", 'imports'],
    ["import { x } from 'kafkajs';", 'imports'],
    ["import { x } from 'mongodb';", 'imports'],
    ["import type { x } from 'mongodb';"],
    ["import { x } from '@temporalio/client';", 'imports'],
  ],
  'api/assets/a.ts': [
    ["import { x } from '#platform/a.ts';"],
    ["import type { x } from '#workflows/a.ts';"],
    ["import { x } from '#workflows/a.ts';", 'imports'],
    ["import type { x } from '#activities/a/a.ts';", 'imports'],
    ["import { x } from '#workers/a.ts';", 'imports'],
    ["import { x } from 'neo4j-driver';", 'imports'],
  ],
  'workers/a.ts': [
    ["import { x } from '#activities/a/a.ts';"],
    ["import { x } from '#workflows/a.ts';"],
    ["import { x } from '#api/a.ts';", 'imports'],
    ["import { x } from 'kafkajs';", 'imports'],
  ],
  'platform/a.ts': [
    ['export async function f(): Promise<void> {} f();', 'no-floating-promises'],
    ['export async function f(): Promise<void> {} void f();'],
    ['export async function f(): Promise<void> {} [1].forEach(f);', 'no-misused-promises'],
    ['export const x = (y: any): unknown => y;', 'no-explicit-any'],
    ['export default 1;', 'no-default-export'],
    ["export type Y = X; import { X } from './b.ts';", 'consistent-type-imports'],
    ['export const x = process.env;', 'no-process-env'],
    ['\n'.repeat(501), 'max-lines'],
    ["export { a } from './a-9.ts'; export const b = 1;", 'no-cycle'],
    ["export { b } from './a-8.ts'; export const a = 1;", 'no-cycle'],
  ],
} satisfies Record<string, [line: string, rule?: string][]>;

const cases = Object.entries(planted).flatMap(([file, lines]) =>
  lines.map(([line, rule], index) => ({
    file: file.replace(/\.ts$/, `-${index}.ts`),
    line,
    rule: rule === 'imports' ? 'no-restricted-imports' : rule,
  })),
);

let folder = '';
const findings = new Map<string, string[]>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lily-lint-'));
  for (const file of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(CHECKOUT, file), join(folder, file));
  symlinkSync(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, line } of cases) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${line.replace(/^import (?:type )?\{ (\w+) \}.*;$/, '$& export { $1 };')}\n`);
  }
  const { stdout } = spawnSync(join(CHECKOUT, 'node_modules/.bin/oxlint'), ['--format=json'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const report = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] };
  for (const { filename, code } of report.diagnostics) {
    findings.set(filename, [...(findings.get(filename) ?? []), code.replace(/^.*\((.*)\)$/, '$1')]);
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the linter', () => {
  it.each(cases.filter(({ rule }) => rule !== undefined))('refuses in $file: $line', ({ file, rule }) => {
    expect(findings.get(file) ?? []).toContain(rule);
  });

  it.each(cases.filter(({ rule }) => rule === undefined))('allows in $file: $line', ({ file }) => {
    expect(findings.get(file) ?? []).not.toContainEqual(expect.stringMatching(/restricted-imports|floating-promises/));
  });
});
