/** What one value of a document is. */
export interface ValueKind {
  type: string;
  /** Members of a document. */
  members?: Iterable<[name: string, value: unknown]>;
  /** Items of an array. */
  items?: readonly unknown[];
}

/** A field, with all that was seen of it. */
export interface Field {
  /** Names from the outside in. Arrays add none: the documents in an array are described by the array's own members. */
  path: string[];
  /** How often it had which type. */
  types: Map<string, number>;
  /** How often items of it, where it is an array, had which type. */
  itemTypes: Map<string, number>;
  /** Documents that have it. */
  documents: number;
}

/** Documents that carry keys for names (`{"2026-01-01": …}`) would otherwise have no end of fields. */
const mostFields = 2_000;
const deepestField = 20;
const itemsLookedAt = 100;

interface Node extends Field {
  members: Map<string, Node>;
  lastDocument: number;
}

/** The fields of many documents, nested ones below their parents. */
export class FieldTree {
  readonly #kindOf: (value: unknown) => ValueKind;
  readonly #root = newNode([]);
  #count = 0;
  #documents = 0;
  #isCut = false;

  constructor(kindOf: (value: unknown) => ValueKind) {
    this.#kindOf = kindOf;
  }

  /** Whether there was more than is kept: further fields, deeper ones, or names that cannot be kept. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Takes in a document, or any other value. A value that has no members adds no field. */
  add(document: unknown): void {
    this.#documents += 1;
    this.#look(this.#root, this.#kindOf(document), 0);
  }

  /** Each field before its members, in the order of their names. */
  *fields(): Generator<Field> {
    yield* below(this.#root);
  }

  has(path: readonly string[]): boolean {
    let node: Node | undefined = this.#root;
    for (const name of path) node = node?.members.get(name);
    return node !== undefined;
  }

  /** @param arrays how many arrays, one in the other, the value stands in */
  #look(node: Node, { members, items }: ValueKind, arrays: number): void {
    if (members !== undefined) for (const [name, value] of members) this.#member(node, name, value);
    if (items === undefined) return;
    if (items.length > itemsLookedAt || arrays >= deepestField) this.#isCut = true;
    if (arrays >= deepestField) return;
    for (const item of items.slice(0, itemsLookedAt)) {
      const kind = this.#kindOf(item);
      count(node.itemTypes, kind.type);
      this.#look(node, kind, arrays + 1);
    }
  }

  #member(parent: Node, name: string, value: unknown): void {
    const node = parent.members.get(name) ?? this.#begin(parent, name);
    if (node === undefined) return;
    if (node.lastDocument !== this.#documents) {
      node.lastDocument = this.#documents;
      node.documents += 1;
    }
    const kind = this.#kindOf(value);
    count(node.types, kind.type);
    this.#look(node, kind, 0);
  }

  #begin(parent: Node, name: string): Node | undefined {
    const unkept = name.includes('\u0000') || !name.isWellFormed();
    if (unkept || this.#count >= mostFields || parent.path.length >= deepestField) {
      this.#isCut = true;
      return undefined;
    }
    this.#count += 1;
    const node = newNode([...parent.path, name]);
    parent.members.set(name, node);
    return node;
  }
}

function newNode(path: string[]): Node {
  return { path, types: new Map(), itemTypes: new Map(), documents: 0, members: new Map(), lastDocument: 0 };
}

function* below(node: Node): Generator<Field> {
  const members = [...node.members].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, member] of members) {
    yield member;
    yield* below(member);
  }
}

function count(types: Map<string, number>, type: string): void {
  types.set(type, (types.get(type) ?? 0) + 1);
}
