import type { RuleRow } from './catalog.ts';
import { queryLineage, type ColumnSource } from './query-lineage.ts';

/** What a view is made from. */
export interface ViewLineage {
  /** Relations, by ascending oid. */
  relations: number[];
  /** For each of the view's columns what it is computed from; undefined when the stored query was not understood. */
  columns: Map<number, ColumnSource[]> | undefined;
}

/**
 * Lineage of views from the rules that PostgreSQL keeps of them. Relations come from its dependency catalogue and from
 * the stored query: the catalogue leaves out what can never be dropped, such as `pg_class`.
 */
export function readLineage(rules: RuleRow[]): Map<number, ViewLineage> {
  return new Map(rules.map((rule) => [rule.view, lineageOf(rule)]));
}

function lineageOf(rule: RuleRow): ViewLineage {
  try {
    if (rule.action === null) return { relations: rule.depends_on, columns: undefined };
    const { relations, columns } = queryLineage(rule.action, rule.view);
    const all = new Set([...rule.depends_on, ...relations]);
    return { relations: [...all].sort((a, b) => a - b), columns };
  } catch {
    // A tree of a newer version, or one that is too deep: the database's word on relations is still good.
    return { relations: rule.depends_on, columns: undefined };
  }
}
