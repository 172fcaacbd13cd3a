/**
 * Keys that BSON or its driver give a meaning of their own: `$ref` beside `$id` would come back as a DBRef, `_bsontype`
 * would be taken for a BSON class. They are legal in a caller's attributes, so they are kept under an escaped name.
 */
const escape = '\uFF05';

function isOdd(key: string): boolean {
  return key.startsWith('$') || key.startsWith(escape) || key === '_bsontype';
}

/** The value with odd keys escaped; the very same object when it has none, which is the usual case. */
export function encodeKeys<T>(value: T): T {
  return mapKeys(value, (key) => (isOdd(key) ? escape + key : key)) as T;
}

/** Undoes {@link encodeKeys}. */
export function decodeKeys<T>(value: T): T {
  return mapKeys(value, (key) => (key.startsWith(escape) ? key.slice(escape.length) : key)) as T;
}

function mapKeys(value: unknown, rename: (key: string) => string): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) {
    let changed = false;
    const items = value.map((item: unknown) => {
      const mapped = mapKeys(item, rename);
      changed ||= mapped !== item;
      return mapped;
    });
    return changed ? items : value;
  }
  let changed = false;
  const result: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const name = rename(key);
    const mapped = mapKeys(child, rename);
    changed ||= name !== key || mapped !== child;
    result[name] = mapped;
  }
  return changed ? result : value;
}
