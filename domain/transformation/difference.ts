import type { Json } from '../assets/entity.ts';

/** One place where two values differ, as a JSON pointer. What is absent on one side is absent here. */
export interface Difference {
  path: string;
  before?: Json;
  after?: Json;
}

type Side = Json | undefined;

/** Where two values differ, at most `most` places, in the order of keys. Equal values give none, whatever the order of their keys. */
export function differences(before: Side, after: Side, most: number): Difference[] {
  const found: Difference[] = [];
  const compare = (left: Side, right: Side, path: string): void => {
    if (found.length >= most || left === right) return;
    const [lefts, rights] = [childrenOf(left), childrenOf(right)];
    if (lefts === undefined || rights === undefined || Array.isArray(left) !== Array.isArray(right)) {
      found.push({ path, ...(left !== undefined && { before: left }), ...(right !== undefined && { after: right }) });
      return;
    }
    for (const key of [...new Set([...lefts.keys(), ...rights.keys()])].sort()) {
      compare(lefts.get(key), rights.get(key), `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }
  };
  compare(before, after, '');
  return found;
}

export function sameJson(left: Side, right: Side): boolean {
  return differences(left, right, 1).length === 0;
}

function childrenOf(value: Side): Map<string, Json> | undefined {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
}
