import type { IncidentEntity } from '#domain/incidents/record.ts';

/** Entities that one name may mean before it is too vague to mean any. */
const mostMatches = 10;

/** The parts of a name as monitors write it: `warehouse:db.schema.table`, `"Schema"."Table"`. Lower case: they rarely agree. */
export function partsOfName(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[.:/]+/)
    .map((part) => part.replaceAll(/["`[\]\s]/g, ''))
    .filter((part) => part !== '');
}

/** What an entity that is meant by the name may be called: the name's endings, the shortest first. */
export function endingsOf(name: string): string[] {
  const parts = partsOfName(name);
  const endings = parts.map((_part, index) => parts.slice(parts.length - 1 - index).join('.'));
  return [...new Set([...endings, name])];
}

/**
 * Which of the candidates a name means. Those that are called exactly so; else those whose qualified name ends with the name;
 * else those whose whole qualified name, of two parts or more, is the name's end: monitors put a warehouse in front.
 * Nobody, when that leaves too many.
 */
export function meantBy(name: string, candidates: readonly IncidentEntity[]): IncidentEntity[] {
  const wanted = partsOfName(name);
  const sorted = candidates.map((entity) => ({ entity, parts: partsOfName(entity.qualified_name) }));
  const ways: ((parts: string[]) => boolean)[] = [
    (parts) => parts.length === wanted.length && endsWith(parts, wanted),
    (parts) => endsWith(parts, wanted),
    (parts) => parts.length > 1 && endsWith(wanted, parts),
  ];
  for (const fits of ways) {
    const found = sorted.filter(({ parts }) => fits(parts)).map(({ entity }) => entity);
    if (found.length > 0) return found.length > mostMatches ? [] : found;
  }
  return [];
}

function endsWith(parts: string[], end: string[]): boolean {
  if (end.length === 0 || end.length > parts.length) return false;
  return end.every((part, index) => part === parts[parts.length - end.length + index]);
}
