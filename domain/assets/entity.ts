/** A JSON value, as it may stand in an entity's attributes. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Points at an entity: by its id, or by what its id follows from. The entity need not exist yet. */
export type EntityRef = { metadata_id: string } | { entity_type: string; qualified_name: string };

/** A reference whose id is known. The names are kept where they were given, for people. */
export interface ResolvedRef {
  metadata_id: string;
  entity_type?: string;
  qualified_name?: string;
}

/** A named relationship other than containment and lineage, from the entity that states it to `target`. */
export interface Relationship<Ref = EntityRef> {
  /** Upper snake case, for example `JOINS_WITH`. */
  relationship_type: string;
  target: Ref;
}

/** The documented attributes, and whatever else the caller keeps beside them. */
export interface Attributes {
  name: string;
  description?: string;
  created_by?: string;
  tags?: string[];
  [key: string]: Json | undefined;
}

/** What an entity says: everything that a new version is made for when it changes. */
export interface EntityContent {
  attributes: Attributes;
  /** What contains this entity: a column's table, a table's schema. */
  parent?: ResolvedRef;
  /** Entities that this one is made from, sorted by id. The whole set: what is left out is no longer upstream. */
  upstream: ResolvedRef[];
  /** Entities that this one says are made from it, sorted by id; absent when it says so of none. */
  downstream?: ResolvedRef[];
  relationships: Relationship<ResolvedRef>[];
}

export type ChangeKind = 'created' | 'updated' | 'deleted';

/** One entity as it is now: its newest version. Times are `Date`s inside Lily and RFC 3339 at its borders. */
export interface Entity extends EntityContent {
  entity_id: string;
  tenant_id: string;
  entity_type: string;
  qualified_name: string;
  /** Counts up from 1 with every change. */
  version: number;
  /** Digest of the content: equal digests, equal content. */
  content_hash: string;
  /** Measured facts that change without anybody changing the entity (row estimates, sizes). Not versioned. */
  statistics?: Record<string, Json>;
  /** The crawled source that this entity belongs to, if one does. */
  source_id?: string;
  deleted: boolean;
  created_at: Date;
  updated_at: Date;
}

/** One version in an entity's history (slowly changing dimension type 2). */
export interface EntityVersion extends EntityContent {
  entity_id: string;
  tenant_id: string;
  entity_type: string;
  qualified_name: string;
  version: number;
  content_hash: string;
  change: ChangeKind;
  /** Top-level fields and attributes that differ from the version before, as `attributes.description` or `upstream`. */
  changed_fields: string[];
  /** When the entity's first version began. */
  created_at: Date;
  statistics?: Record<string, Json>;
  source_id?: string;
  valid_from: Date;
  /** When the next version began; null for the current one. */
  valid_to: Date | null;
  is_current: boolean;
  /** The record that made this version, and the batch it came in. */
  record_id: string;
  batch_id: string;
  actor: string;
}
