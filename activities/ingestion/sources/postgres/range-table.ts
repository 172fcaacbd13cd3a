import { integerField, isNode, listOf, nodeOf, NodeTreeError, type TreeNode, type TreeValue } from './node-tree.ts';
import { outputs, type Scope } from './scope.ts';

/**
 * Something on the way from an output column to its sources. With `field`, its value is a row, of which only that field
 * is looked at.
 */
export type Step =
  | { kind: 'output'; scope: Scope; resno: number; field?: number }
  | { kind: 'expression'; scope: Scope; value: TreeValue; field?: number }
  | { kind: 'leaf'; relid: number; attnum: number };

type ScopeOf = (query: TreeNode, parent: Scope) => Scope;

/** `RTEKind` of PostgreSQL 13 to 18; the numbers have not changed, `group` came with 18. */
const kinds = {
  relation: 0,
  subquery: 1,
  join: 2,
  function: 3,
  tableFunction: 4,
  values: 5,
  commonTable: 6,
  group: 9,
} as const;

/**
 * Where column `attnum` of an entry in a query's range table comes from; 0 is the whole row.
 * @throws NodeTreeError for kinds of entries that a view cannot have, or that are newer than this code
 */
export function rangeTableColumn(entry: TreeNode, attnum: number, scope: Scope, scopeOf: ScopeOf): Step[] {
  const pick = (field: string): Step[] => item(listOf(entry.fields.get(field)), attnum, scope);
  const kind = integerField(entry, 'rtekind');
  switch (kind) {
    case kinds.relation:
      // A system column (`ctid`, `tableoid`, …) says something about the row, and is no column of the catalogue.
      return attnum < 0 ? [] : [{ kind: 'leaf', relid: integerField(entry, 'relid'), attnum }];
    case kinds.subquery:
      return outputOf(scopeOf(nodeOf(entry.fields.get('subquery'), 'QUERY'), scope), attnum);
    case kinds.join:
      return pick('joinaliasvars');
    case kinds.group:
      return pick('groupexprs');
    case kinds.values:
      return listOf(entry.fields.get('values_lists')).flatMap((row) => item(listOf(row), attnum, scope));
    case kinds.function:
      return functionColumn(entry, attnum, scope);
    case kinds.tableFunction:
      return tableFunctionColumn(nodeOf(entry.fields.get('tablefunc'), 'TABLEFUNC'), attnum, scope);
    case kinds.commonTable:
      return commonTableColumn(entry, attnum, scope, scopeOf);
    default:
      throw new NodeTreeError(`a range table entry of kind ${kind}`);
  }
}

function outputOf(inner: Scope, attnum: number): Step[] {
  const numbers = attnum === 0 ? outputs(inner.query) : [attnum];
  return numbers.map((resno) => ({ kind: 'output', scope: inner, resno }));
}

/** One item of a list of expressions; all of them for the whole row. */
function item(list: TreeValue[], attnum: number, scope: Scope): Step[] {
  if (attnum === 0) return [{ kind: 'expression', scope, value: list }];
  const value = list[attnum - 1];
  if (value === undefined) throw new NodeTreeError(`a range table entry has no column ${attnum}`);
  return [{ kind: 'expression', scope, value }];
}

/** `ROWS FROM (f(…), g(…)) WITH ORDINALITY`: each function gives some columns; the ordinal number comes from none. */
function functionColumn(entry: TreeNode, attnum: number, scope: Scope): Step[] {
  const functions = listOf(entry.fields.get('functions')).map((value) => nodeOf(value, 'RANGETBLFUNCTION'));
  let last = 0;
  const steps: Step[] = [];
  for (const one of functions) {
    const first = last + 1;
    last += integerField(one, 'funccolcount');
    const gives = attnum === 0 || (attnum >= first && attnum <= last);
    if (gives) steps.push({ kind: 'expression', scope, value: one.fields.get('funcexpr') ?? null });
  }
  return steps;
}

/** XMLTABLE and JSON_TABLE: every column comes from the document, the row's path, and its own path and default. */
function tableFunctionColumn(call: TreeNode, attnum: number, scope: Scope): Step[] {
  const shared = ['ns_uris', 'docexpr', 'rowexpr', 'passingvalexprs'];
  const own = ['colexprs', 'coldefexprs', 'colvalexprs'];
  const values = shared.map((field) => call.fields.get(field));
  for (const field of own) {
    const list = call.fields.get(field);
    values.push(attnum === 0 || !Array.isArray(list) ? list : list[attnum - 1]);
  }
  return values.map((value) => ({ kind: 'expression', scope, value: value ?? null }));
}

function commonTableColumn(entry: TreeNode, attnum: number, scope: Scope, scopeOf: ScopeOf): Step[] {
  let home: Scope | undefined = scope;
  for (let up = integerField(entry, 'ctelevelsup'); up > 0; up--) home = home?.parent;
  const name = entry.fields.get('ctename');
  const tables = listOf(home?.query.fields.get('cteList')).map((value) => nodeOf(value, 'COMMONTABLEEXPR'));
  const table = tables.find((candidate) => candidate.fields.get('ctename') === name);
  if (table === undefined || home === undefined) throw new NodeTreeError('a common table expression that is not there');
  const inner = scopeOf(nodeOf(table.fields.get('ctequery'), 'QUERY'), home);
  const count = outputs(inner.query).length;
  return attnum <= count ? outputOf(inner, attnum) : addedColumn(table, attnum - count, inner);
}

/** Columns that SEARCH (one) and CYCLE (a mark and a path) add behind those of the query. */
function addedColumn(table: TreeNode, position: number, inner: Scope): Step[] {
  const search = table.fields.get('search_clause');
  const cycle = table.fields.get('cycle_clause');
  const lists: TreeValue[][] = [];
  if (isNode(search)) lists.push(listOf(search.fields.get('search_col_list')));
  if (isNode(cycle)) {
    const columns = listOf(cycle.fields.get('cycle_col_list'));
    lists.push(columns, columns);
  }
  const wanted = lists[position - 1];
  if (wanted === undefined) throw new NodeTreeError('a common table expression has too few columns');
  const names = listOf(table.fields.get('ctecolnames'));
  return wanted.flatMap((name) => outputOf(inner, names.indexOf(name) + 1));
}
