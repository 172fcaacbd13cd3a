import {
  integerField,
  isNode,
  listOf,
  nodeOf,
  NodeTreeError,
  parseNodeTree,
  type TreeNode,
  type TreeValue,
} from './node-tree.ts';
import { rangeTableColumn, type Step } from './range-table.ts';
import { outputs, targetList, type Scope } from './scope.ts';

/** A column that an output column is computed from. `attnum` 0 is the whole row: every column of the relation. */
export interface ColumnSource {
  relid: number;
  attnum: number;
}

export interface QueryLineage {
  /** Relations that the query reads anywhere, by ascending oid. */
  relations: number[];
  /** For each output column, by its number, the columns that its value is computed from. */
  columns: Map<number, ColumnSource[]>;
}

const selectCommand = 1;
const existsSubLink = 0;
const exceptOperation = 3;

/**
 * Follows each output column of a view's stored query down to the columns of relations, through subqueries, joins, set
 * operations, common table expressions (recursive ones too), functions and values.
 *
 * Counts as a source: every column in the expression, with filters, windows and conditions that are part of it, and what
 * an EXISTS tests. Does not: WHERE, GROUP BY and join conditions, which choose rows; the right arm of EXCEPT.
 *
 * @param action the text of `pg_rewrite.ev_action`
 * @param self the view's own oid, which older versions list among its relations
 * @throws NodeTreeError when the tree holds something that is not understood
 */
export function queryLineage(action: string, self: number): QueryLineage {
  const tree = parseNodeTree(action);
  const query = nodeOf(listOf(tree)[0], 'QUERY');
  const resolver = new Resolver();
  const top = resolver.scope(query, undefined);
  const columns = new Map<number, ColumnSource[]>();
  for (const resno of outputs(query)) columns.set(resno, resolver.sources(top, resno));
  return { relations: relationsOf(tree, self), columns };
}

function relationsOf(tree: TreeValue, self: number): number[] {
  const found = new Set<number>();
  const rest: TreeValue[] = [tree];
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    if (Array.isArray(value)) rest.push(...value);
    else if (isNode(value)) {
      if (value.tag === 'RANGETBLENTRY' && value.fields.get('rtekind') === '0') found.add(integerField(value, 'relid'));
      rest.push(...value.fields.values());
    }
  }
  found.delete(self);
  return [...found].sort((a, b) => a - b);
}

class Resolver {
  readonly #scopes = new Map<TreeNode, Scope>();
  /** What the walk under way has looked at. What was visited is not visited again: that ends recursion, and keeps the walk short. */
  readonly #visited = new Set<string>();

  scope(query: TreeNode, parent: Scope | undefined): Scope {
    const known = this.#scopes.get(query);
    if (known !== undefined) return known;
    if (query.tag !== 'QUERY' || integerField(query, 'commandType') !== selectCommand) {
      throw new NodeTreeError('a query that is not a SELECT');
    }
    const made = { id: this.#scopes.size, query, parent };
    this.#scopes.set(query, made);
    return made;
  }

  /** Walks from one output column to the leaves. */
  sources(scope: Scope, resno: number): ColumnSource[] {
    const leaves = new Map<string, ColumnSource>();
    this.#visited.clear();
    const steps: Step[] = [{ kind: 'output', scope, resno }];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if (step.kind === 'leaf') leaves.set(`${step.relid}.${step.attnum}`, { relid: step.relid, attnum: step.attnum });
      else if (step.kind === 'expression') this.#expression(step.value, step.scope, steps, step.field);
      else this.#output(step.scope, step.resno, steps, step.field);
    }
    return [...leaves.values()].sort((a, b) => a.relid - b.relid || a.attnum - b.attnum);
  }

  #output(scope: Scope, resno: number, steps: Step[], field: number | undefined): void {
    if (this.#isVisited('output', scope, resno, field)) return;
    const arms = setArms(scope.query, true);
    if (arms !== undefined) {
      for (const arm of arms) steps.push(fieldOf({ kind: 'output', scope: this.scope(arm, scope), resno }, field));
      return;
    }
    const entry = targetList(scope.query).find((candidate) => integerField(candidate, 'resno') === resno);
    if (entry === undefined) throw new NodeTreeError(`a query has no output column ${resno}`);
    steps.push(fieldOf({ kind: 'expression', scope, value: entry.fields.get('expr') ?? null }, field));
  }

  #expression(value: TreeValue, scope: Scope, steps: Step[], field: number | undefined): void {
    if (Array.isArray(value)) {
      for (const item of value)
        if (typeof item === 'object' && item !== null) steps.push({ kind: 'expression', scope, value: item });
      return;
    }
    if (!isNode(value)) return;
    switch (value.tag) {
      case 'VAR':
        this.#variable(value, scope, steps, field);
        return;
      case 'FIELDSELECT':
        steps.push({
          kind: 'expression',
          scope,
          value: nodeOf(value.fields.get('arg')),
          field: integerField(value, 'fieldnum'),
        });
        return;
      case 'SUBLINK':
        this.#subLink(value, scope, steps);
        return;
      case 'WINDOWFUNC':
        steps.push(...windowKeys(value, scope), ...children(value, scope));
        return;
      case 'QUERY':
        throw new NodeTreeError('a query where none was expected');
      default:
        steps.push(...children(value, scope));
    }
  }

  #variable(variable: TreeNode, scope: Scope, steps: Step[], field: number | undefined): void {
    let home: Scope | undefined = scope;
    for (let up = integerField(variable, 'varlevelsup'); up > 0; up--) home = home?.parent;
    if (home === undefined) throw new NodeTreeError('a variable of a query that is not there');
    const varno = integerField(variable, 'varno');
    const entry = nodeOf(listOf(home.query.fields.get('rtable'))[varno - 1], 'RANGETBLENTRY');
    const attnum = integerField(variable, 'varattno');
    if (this.#isVisited('variable', home, varno, attnum, field)) return;
    const scopeOf = (query: TreeNode, parent: Scope): Scope => this.scope(query, parent);
    // A field of the whole row is a column; a field of a column that holds a row is looked for where that row is made.
    if (attnum === 0) steps.push(...rangeTableColumn(entry, field ?? 0, home, scopeOf));
    else steps.push(...rangeTableColumn(entry, attnum, home, scopeOf).map((step) => fieldOf(step, field)));
  }

  #isVisited(kind: string, scope: Scope, ...where: (number | undefined)[]): boolean {
    const key = [kind, scope.id, ...where].join('.');
    const visited = this.#visited.has(key);
    this.#visited.add(key);
    return visited;
  }

  #subLink(link: TreeNode, scope: Scope, steps: Step[]): void {
    const inner = this.scope(nodeOf(link.fields.get('subselect'), 'QUERY'), scope);
    if (integerField(link, 'subLinkType') === existsSubLink) {
      this.#tested(inner, steps);
      return;
    }
    steps.push({ kind: 'expression', scope, value: link.fields.get('testexpr') ?? null });
    for (const resno of outputs(inner.query)) steps.push({ kind: 'output', scope: inner, resno });
  }

  /** What decides whether a query has rows. */
  #tested(scope: Scope, steps: Step[]): void {
    const arms = setArms(scope.query, false) ?? [];
    for (const arm of arms) this.#tested(this.scope(arm, scope), steps);
    for (const field of ['jointree', 'havingQual']) {
      steps.push({ kind: 'expression', scope, value: scope.query.fields.get(field) ?? null });
    }
  }
}

function fieldOf(step: Step, field: number | undefined): Step {
  return step.kind === 'leaf' || field === undefined ? step : { ...step, field };
}

function children(node: TreeNode, scope: Scope): Step[] {
  const found: Step[] = [];
  for (const value of node.fields.values()) {
    if (typeof value === 'object' && value !== null) found.push({ kind: 'expression', scope, value });
  }
  return found;
}

/** The queries that a set operation combines; undefined when the query is none. */
function setArms(query: TreeNode, valuesOnly: boolean): TreeNode[] | undefined {
  const root = query.fields.get('setOperations');
  if (!isNode(root)) return undefined;
  const table = listOf(query.fields.get('rtable'));
  const arms: TreeNode[] = [];
  const rest: TreeNode[] = [root];
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    if (node.tag === 'RANGETBLREF') {
      const entry = nodeOf(table[integerField(node, 'rtindex') - 1], 'RANGETBLENTRY');
      arms.push(nodeOf(entry.fields.get('subquery'), 'QUERY'));
      continue;
    }
    const statement = nodeOf(node, 'SETOPERATIONSTMT');
    rest.push(nodeOf(statement.fields.get('larg')));
    // The right arm of EXCEPT takes rows away; no value comes from it.
    if (!valuesOnly || integerField(statement, 'op') !== exceptOperation)
      rest.push(nodeOf(statement.fields.get('rarg')));
  }
  return arms;
}

/** What a window function's partitions and order are made from. */
function windowKeys(call: TreeNode, scope: Scope): Step[] {
  const winref = integerField(call, 'winref');
  const clauses = listOf(scope.query.fields.get('windowClause')).map((clause) => nodeOf(clause, 'WINDOWCLAUSE'));
  const clause = clauses.find((candidate) => integerField(candidate, 'winref') === winref);
  if (clause === undefined) throw new NodeTreeError('a window that is not there');
  const references = ['partitionClause', 'orderClause']
    .flatMap((field) => listOf(clause.fields.get(field)))
    .map((group) => integerField(nodeOf(group, 'SORTGROUPCLAUSE'), 'tleSortGroupRef'));
  return targetList(scope.query)
    .filter((entry) => references.includes(integerField(entry, 'ressortgroupref')))
    .map((entry) => ({ kind: 'expression', scope, value: entry.fields.get('expr') ?? null }));
}
