import type { Json } from '../../assets/entity.ts';

/** Steps from the attributes inward. `*` stands for every item of a list and every key of an object. */
export type Path = readonly string[];

/** The key of an object, or what it holds at a place deeper inside. */
type Container = Json[] | { [key: string]: Json };

/** Reads `owner` (a top-level attribute) or `/owner/email` (a JSON pointer into the attributes). */
export function parsePath(text: string): Path {
  if (!text.startsWith('/')) return [text];
  return text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function isContainer(value: Json | undefined): value is Container {
  return typeof value === 'object' && value !== null;
}

function childOf(value: Json | undefined, step: string): Json | undefined {
  if (!isContainer(value) || !Object.hasOwn(value, step)) return undefined;
  if (Array.isArray(value)) return /^\d+$/.test(step) ? value[Number(step)] : undefined;
  return value[step];
}

export function valueAt(root: Json, path: Path): Json | undefined {
  let at: Json | undefined = root;
  for (const step of path) at = childOf(at, step);
  return at;
}

/** Something on the way to the path's end is in the way: a text where an object would be needed. */
export class PathFault extends Error {
  override readonly name = 'PathFault';
}

/** The root with the value at the path; what does not lie on the path is shared with the old one. @throws PathFault */
export function withValue(root: Json | undefined, path: Path, value: Json | undefined): Json {
  const [step, ...rest] = path;
  if (step === undefined) return value ?? null;
  if (root !== undefined && !isContainer(root)) {
    throw new PathFault(`there is a ${root === null ? 'null' : typeof root} where "${step}" would have to be inside`);
  }
  if (Array.isArray(root)) {
    const index = Number(step);
    if (!/^\d+$/.test(step) || index >= root.length) throw new PathFault(`the list has no item "${step}"`);
    return root.map((item, at) => (at === index ? withValue(item, rest, value) : item));
  }
  const copy = { ...root };
  if (rest.length === 0 && value === undefined) delete copy[step];
  else copy[step] = withValue(Object.hasOwn(copy, step) ? copy[step] : undefined, rest, value);
  return copy;
}

/** Changes every value that the path, with its `*`, leads to. The same root comes back when nothing changed. */
export function changeAt(root: Json, path: Path, change: (value: Json) => Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return change(root);
  if (!isContainer(root)) return root;
  if (Array.isArray(root)) {
    if (step !== '*' && !/^\d+$/.test(step)) return root;
    return changedItems(root, (item, index) =>
      step === '*' || Number(step) === index ? changeAt(item, rest, change) : item,
    );
  }
  if (step === '*') return changedValues(root, (value) => changeAt(value, rest, change));
  const before = Object.hasOwn(root, step) ? root[step] : undefined;
  if (before === undefined) return root;
  const after = changeAt(before, rest, change);
  return after === before ? root : { ...root, [step]: after };
}

/** Changes every text inside the value, at any depth. The same value comes back when nothing changed. */
export function changeTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return changedItems(value, (item) => changeTexts(item, change));
  if (isContainer(value)) return changedValues(value, (item) => changeTexts(item, change));
  return value;
}

function changedItems(list: Json[], change: (item: Json, index: number) => Json): Json[] {
  let changed = false;
  const items = list.map((item, index) => {
    const after = change(item, index);
    changed ||= after !== item;
    return after;
  });
  return changed ? items : list;
}

function changedValues(object: { [key: string]: Json }, change: (value: Json) => Json): { [key: string]: Json } {
  let copy: { [key: string]: Json } | undefined;
  for (const [key, value] of Object.entries(object)) {
    const after = change(value);
    if (after === value) continue;
    copy ??= { ...object };
    copy[key] = after;
  }
  return copy ?? object;
}
