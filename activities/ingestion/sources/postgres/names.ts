/**
 * One part of a qualified name. A part that contains a dot or a double quote is written as an SQL identifier in double
 * quotes, so that no two relations ever share a qualified name; every other part stands as it is.
 */
export function quotePart(part: string): string {
  return /[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part;
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

/** Whether a name matches a pattern with `*` and `?`: the same answer as LIKE gives for {@link likePattern}. */
export function matchesPattern(name: string, pattern: string): boolean {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}/-]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su').test(name);
}
