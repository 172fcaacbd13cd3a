import { qualifiedName, splitQualifiedName } from '../shared/names.ts';

/** Names the entities of one project. A node's name follows from dbt's own unique id, so that a reference needs no look-up. */
export class ProjectNames {
  /** First part of every qualified name. */
  readonly root: string;
  readonly #warehouse: string | undefined;

  constructor(root: string, warehouse: string | undefined) {
    this.root = root;
    this.#warehouse = warehouse;
  }

  get project(): NamedRef {
    return { entity_type: 'dbt_project', qualified_name: this.root };
  }

  /** `model.shop.orders` of the project `shop` is the `dbt_model` `shop.model.shop.orders`. */
  node(uniqueId: string): NamedRef {
    return { entity_type: entityTypeOf(uniqueId), qualified_name: `${this.root}.${uniqueId}` };
  }

  column(uniqueId: string, column: string): NamedRef {
    return { entity_type: 'column', qualified_name: `${this.root}.${uniqueId}.${qualifiedName(column)}` };
  }

  /** The unique id of the node that a column was named for by {@link column}; undefined when it is not such a name. */
  nodeOfColumn(name: string): string | undefined {
    const end = `.${qualifiedName(splitQualifiedName(name).at(-1) ?? '')}`;
    if (!name.startsWith(`${this.root}.`) || !name.endsWith(end)) return undefined;
    return name.slice(this.root.length + 1, -end.length);
  }

  group(packageName: string, group: string): NamedRef {
    return this.node(`group.${packageName}.${group}`);
  }

  owner(key: string): NamedRef {
    return { entity_type: 'owner', qualified_name: `${this.root}.owner.${qualifiedName(key)}` };
  }

  /** The crawled table or view at this place of the warehouse; undefined when no warehouse is named. */
  relation(kind: RelationKind, schema: string, identifier: string): NamedRef | undefined {
    if (this.#warehouse === undefined) return undefined;
    return { entity_type: kind, qualified_name: `${this.#warehouse}.${qualifiedName(schema, identifier)}` };
  }

  /** Whether the project could have an entity of this name. */
  has(qualifiedName: string): boolean {
    return qualifiedName === this.root || qualifiedName.startsWith(`${this.root}.`);
  }
}

export interface NamedRef {
  entity_type: string;
  qualified_name: string;
}

export type RelationKind = 'table' | 'view' | 'materialized_view';

/** The type of the entity: dbt's own type of the node, which its unique id begins with. */
export function entityTypeOf(uniqueId: string): string {
  return `dbt_${resourceTypeOf(uniqueId)}`;
}

export function resourceTypeOf(uniqueId: string): string {
  return uniqueId.slice(0, uniqueId.indexOf('.'));
}

/** Sections of the manifest whose members become entities. */
export const nodeSections: readonly string[] = [
  'nodes',
  'sources',
  'exposures',
  'metrics',
  'semantic_models',
  'saved_queries',
  'unit_tests',
  'functions',
];

/** Hooks and the like, which say nothing of any data. */
export function isHook(uniqueId: string): boolean {
  return ['operation', 'sql_operation', 'sql operation', 'rpc'].includes(resourceTypeOf(uniqueId));
}
