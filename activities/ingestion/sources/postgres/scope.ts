import { integerField, listOf, nodeOf, type TreeNode } from './node-tree.ts';

/** A query, and the query around it: `varlevelsup` counts outwards. */
export interface Scope {
  id: number;
  query: TreeNode;
  parent: Scope | undefined;
}

/** Numbers of the columns that a query gives to the outside. */
export function outputs(query: TreeNode): number[] {
  return targetList(query)
    .filter((entry) => entry.fields.get('resjunk') !== 'true')
    .map((entry) => integerField(entry, 'resno'));
}

/** What a query computes, with what it needs for itself only (`resjunk`). */
export function targetList(query: TreeNode): TreeNode[] {
  return listOf(query.fields.get('targetList')).map((entry) => nodeOf(entry, 'TARGETENTRY'));
}
