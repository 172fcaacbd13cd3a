import type { NameRow } from './catalog.ts';
import { qualifiedName } from '../shared/names.ts';

/** A reference to an entity by what its id follows from. */
export interface NamedRef {
  entity_type: string;
  qualified_name: string;
}

/** The entity type of each kind of relation (`pg_class.relkind`). */
const entityTypes: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'table',
  f: 'table',
  v: 'view',
  m: 'materialized_view',
};

/** Knows the names of a page's relations and columns, and of those that they point at. */
export class NameBook {
  readonly #root: string;
  readonly #relations = new Map<number, NameRow>();
  readonly #columns = new Map<number, Map<number, string>>();

  /** @param root the first part of every qualified name: what the database is called */
  constructor(root: string, relations: NameRow[], columns: { oid: number; attnum: number; name: string }[]) {
    this.#root = root;
    for (const relation of relations) this.#relations.set(relation.oid, relation);
    for (const { oid, attnum, name } of columns) {
      const numbers = this.#columns.get(oid) ?? new Map<number, string>();
      this.#columns.set(oid, numbers.set(attnum, name));
    }
  }

  schema(name: string): NamedRef {
    return { entity_type: 'schema', qualified_name: qualifiedName(this.#root, name) };
  }

  /** Undefined for what is not an entity: a sequence, a composite type, something that has just been dropped. */
  relation(oid: number): NamedRef | undefined {
    const row = this.#relations.get(oid);
    const entityType = row && entityTypes[row.kind];
    if (row === undefined || entityType === undefined) return undefined;
    return { entity_type: entityType, qualified_name: qualifiedName(this.#root, row.schema, row.name) };
  }

  column(oid: number, name: string): NamedRef | undefined {
    const row = this.#relations.get(oid);
    if (row === undefined) return undefined;
    return { entity_type: 'column', qualified_name: qualifiedName(this.#root, row.schema, row.name, name) };
  }

  /** A column by its number; number 0, the whole row, is every column. */
  columns(oid: number, attnum: number): NamedRef[] {
    const names = this.#columns.get(oid);
    if (names === undefined) return [];
    const wanted = attnum === 0 ? [...names.values()] : [names.get(attnum)];
    return wanted.flatMap((name) => (name === undefined ? [] : (this.column(oid, name) ?? [])));
  }
}
