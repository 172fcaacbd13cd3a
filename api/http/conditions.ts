import { InvalidInput } from './invalid-input.ts';

/** What `If-Match` or `If-None-Match` lists: versions, or `*` for any. */
export type VersionCondition = '*' | readonly string[];

/** The strong validator of a version. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

const etagList = /^\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"(?:\s*,\s*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")*\s*$/;

function parse(header: string, name: string): VersionCondition {
  if (header.trim() === '*') return '*';
  if (!etagList.test(header)) {
    throw new InvalidInput(`${name} must be * or entity tags in quotes, for example ${name}: "3"`, [
      { field: name, detail: 'must be * or entity tags in quotes' },
    ]);
  }
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/** Whether the current version fulfils `If-Match`. Strong comparison: a weak tag never does. */
export function matches(header: string | undefined, version: number): boolean {
  if (header === undefined) return true;
  const condition = parse(header, 'If-Match');
  return condition === '*' || condition.includes(etagOf(version));
}

/** Whether the caller's copy is the current version (`If-None-Match`, weak comparison). */
export function isFresh(header: string | undefined, version: number): boolean {
  if (header === undefined) return false;
  const condition = parse(header, 'If-None-Match');
  return condition === '*' || condition.some((tag) => tag.replace(/^W\//, '') === etagOf(version));
}
