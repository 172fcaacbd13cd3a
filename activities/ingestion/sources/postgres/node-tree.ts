/**
 * Reads the text form of PostgreSQL's node trees (`nodeToString`, type `pg_node_tree`): `{TAG :field value …}`, `(list)`,
 * `<>` for nothing, atoms with backslash escapes. The form is the same in versions 13 to 18; only fields come and go.
 */

/** An atom, a list, a node, or nothing. */
export type TreeValue = string | null | TreeNode | TreeValue[];

export interface TreeNode {
  tag: string;
  fields: Map<string, TreeValue>;
}

/** The text is not a node tree, or a part of one is not what was expected. */
export class NodeTreeError extends Error {
  override readonly name = 'NodeTreeError';
}

type Open =
  { kind: 'list'; items: TreeValue[] } | { kind: 'node'; node: TreeNode; field: string | undefined; filled: boolean };

const tokenPattern = /[(){}]|(?:\\[\s\S]|[^\s(){}\\])+/g;

/**
 * Parses a whole tree. Works without recursion: an expression of ten thousand operators is ten thousand levels deep.
 * @throws NodeTreeError
 */
export function parseNodeTree(text: string): TreeValue {
  const open: Open[] = [];
  let result: TreeValue | undefined;
  const put = (value: TreeValue): void => {
    const top = open.at(-1);
    if (top === undefined) {
      if (result !== undefined) throw new NodeTreeError('more than one value');
      result = value;
    } else if (top.kind === 'list') top.items.push(value);
    else putField(top, value);
  };
  for (const [token] of text.matchAll(tokenPattern)) {
    if (token === '(') open.push({ kind: 'list', items: [] });
    else if (token === '{')
      open.push({ kind: 'node', node: { tag: '', fields: new Map() }, field: undefined, filled: false });
    else if (token === ')' || token === '}') put(close(open.pop(), token));
    else readAtom(open.at(-1), token, put);
  }
  if (open.length > 0 || result === undefined) throw new NodeTreeError('the text ends too early');
  return result;
}

function close(closed: Open | undefined, token: string): TreeValue {
  if (closed?.kind === 'list' && token === ')') return closed.items;
  if (closed?.kind === 'node' && token === '}') return closed.node;
  throw new NodeTreeError(`a ${token} that nothing opened`);
}

function readAtom(top: Open | undefined, token: string, put: (value: TreeValue) => void): void {
  if (top?.kind !== 'node') put(atom(token));
  else if (top.node.tag === '') top.node.tag = token;
  // What follows a field's name is its value, even when it begins with a colon: names of people's columns may.
  else if (top.field !== undefined && !top.filled) put(atom(token));
  else if (token.startsWith(':')) {
    top.field = token.slice(1);
    top.filled = false;
  }
  // Else: further words of one value, the bytes of a constant. Nothing here needs them.
}

function putField(top: Extract<Open, { kind: 'node' }>, value: TreeValue): void {
  if (top.field === undefined) throw new NodeTreeError(`a value without a field in ${top.node.tag}`);
  if (!top.filled) top.node.fields.set(top.field, value);
  top.filled = true;
}

function atom(token: string): string | null {
  if (token === '<>') return null;
  const quoted = token.length >= 2 && token.startsWith('"') && token.endsWith('"');
  const bare = quoted ? token.slice(1, -1) : token;
  return bare.includes('\\') ? bare.replace(/\\([\s\S])/g, '$1') : bare;
}

/** @throws NodeTreeError unless the value is a node (with that tag, where one is given). */
export function nodeOf(value: TreeValue | undefined, tag?: string): TreeNode {
  if (isNode(value) && (tag === undefined || value.tag === tag)) return value;
  throw new NodeTreeError(`expected ${tag ?? 'a node'}`);
}

export function isNode(value: TreeValue | undefined): value is TreeNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The items of a list; an absent list is an empty one. */
export function listOf(value: TreeValue | undefined): TreeValue[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new NodeTreeError('expected a list');
}

/** @throws NodeTreeError unless the field holds a whole number. */
export function integerField(node: TreeNode, field: string): number {
  const text = node.fields.get(field);
  const value = typeof text === 'string' ? Number(text) : Number.NaN;
  if (!Number.isInteger(value)) throw new NodeTreeError(`${node.tag}.${field} is not a whole number`);
  return value;
}
