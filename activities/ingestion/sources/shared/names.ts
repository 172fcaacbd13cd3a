/**
 * One part of a qualified name. A part that is empty, or contains a dot or a double quote, is written as an SQL identifier
 * in double quotes, so that no two things ever share a qualified name; every other part stands as it is.
 */
export function quotePart(part: string): string {
  return part === '' || /[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part;
}

/** `database.schema.relation.column`, as far as parts are given. */
export function qualifiedName(...parts: string[]): string {
  return parts.map(quotePart).join('.');
}

/** The parts of a name made by {@link qualifiedName}. */
export function splitQualifiedName(name: string): string[] {
  const parts = name.match(/"(?:[^"]|"")*"|[^."]+/g) ?? [];
  return parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
}

/** Turns a pattern with `*` and `?` into one for SQL's LIKE. */
export function likePattern(pattern: string): string {
  return pattern
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

/**
 * Whether a name matches a pattern with `*` and `?`: the same answer as LIKE gives for {@link likePattern}. Takes time in
 * proportion to the product of both lengths at most, whatever the pattern: it comes from a tenant.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  const text = Array.from(name);
  const wanted = Array.from(pattern);
  let [at, on] = [0, 0];
  let star: { on: number; at: number } | undefined;
  while (at < text.length) {
    if (wanted[on] === '*') {
      star = { on, at };
      on += 1;
    } else if (wanted[on] === '?' || wanted[on] === text[at]) {
      at += 1;
      on += 1;
    } else if (star !== undefined) {
      // What the last star takes grows by one; stars before it need not be tried again.
      star.at += 1;
      [at, on] = [star.at, star.on + 1];
    } else {
      return false;
    }
  }
  return wanted.slice(on).every((sign) => sign === '*');
}

/** What is read of a source: without `include` everything, less what `exclude` names. Patterns with `*` and `?`. */
export interface Scope {
  include: readonly string[] | undefined;
  exclude: readonly string[] | undefined;
}

export function inScope(name: string, { include, exclude }: Scope): boolean {
  const matches = (pattern: string): boolean => matchesPattern(name, pattern);
  return (include?.some(matches) ?? true) && !(exclude?.some(matches) ?? false);
}

/** The order of names in every source: by UTF-16 code unit, the same on every machine. */
export function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
