import type { Attributes, EntityContent, EntityRef, Json, Relationship, ResolvedRef } from '#domain/assets/entity.ts';
import type { MergeRecord, StatedRecord } from '#domain/assets/record.ts';
import { limits } from '#domain/limits.ts';
import { contentHash, metadataId } from '#platform/digest.ts';

/** What a merge changes of an entity's content; what is absent stays as it is. */
export interface ContentPatch {
  /** null takes an attribute away. */
  attributes: Record<string, Json | undefined>;
  parent?: ResolvedRef;
  upstream?: ResolvedRef[];
  downstream?: ResolvedRef[];
  relationships?: Relationship<ResolvedRef>[];
}

/** The attribute that holds a body for each name, and is merged name by name. */
const mergedAttribute = 'facets';

/** The content that a record states. */
export function statedContent(tenantId: string, record: StatedRecord): EntityContent {
  const { parent, upstream = [], downstream = [], relationships = [] } = resolvedEdges(tenantId, record);
  return {
    attributes: withDistinctTags({ ...record.attributes } as Attributes),
    ...(parent !== undefined && { parent }),
    upstream,
    ...(downstream.length > 0 && { downstream }),
    relationships,
  };
}

/** The change that a record states. */
export function statedPatch(tenantId: string, record: MergeRecord): ContentPatch {
  return { attributes: { ...record.attributes } as ContentPatch['attributes'], ...resolvedEdges(tenantId, record) };
}

/** What an entity holds once the change is made. `base` is undefined when there is none yet; it is not changed. */
export function mergedContent(
  base: EntityContent | undefined,
  patch: ContentPatch,
  qualifiedName: string,
): EntityContent {
  const attributes: Record<string, Json | undefined> = { ...base?.attributes };
  mergeInto(attributes, patch.attributes);
  const name = typeof attributes['name'] === 'string' ? attributes['name'] : qualifiedName.slice(0, limits.nameLength);
  const parent = patch.parent ?? base?.parent;
  const downstream = patch.downstream ?? base?.downstream ?? [];
  return {
    attributes: withDistinctTags({ ...attributes, name }),
    ...(parent !== undefined && { parent }),
    upstream: patch.upstream ?? base?.upstream ?? [],
    ...(downstream.length > 0 && { downstream }),
    relationships: patch.relationships ?? base?.relationships ?? [],
  };
}

function mergeInto(attributes: Record<string, Json | undefined>, patch: ContentPatch['attributes']): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete attributes[key];
    else if (key === mergedAttribute && isObject(value)) {
      const before = attributes[key];
      const merged = mergedFacets(isObject(before) ? before : {}, value);
      if (Object.keys(merged).length === 0) delete attributes[key];
      else attributes[key] = merged;
    } else attributes[key] = value;
  }
}

type JsonObject = { [key: string]: Json };

/** Facets by name. Merging may not make an entity larger than can be stored: what finds no room is said to be left out. */
function mergedFacets(before: JsonObject, said: JsonObject): JsonObject {
  const merged = { ...before };
  for (const [name, body] of Object.entries(said)) {
    if (body === null) delete merged[name];
    else merged[name] = body;
  }
  if (bytesOf(merged) <= limits.keptFacetBytes) return merged;
  const added = Object.keys(said).filter((name) => Object.hasOwn(merged, name));
  let bytes = bytesOf(Object.fromEntries(Object.entries(merged).filter(([name]) => !Object.hasOwn(said, name))));
  for (const name of added) {
    const more = bytesOf(merged[name] ?? null);
    if (bytes + more <= limits.keptFacetBytes) bytes += more;
    else merged[name] = { _omitted: `all facets of the entity have more than ${limits.keptFacetBytes} bytes` };
  }
  return merged;
}

function bytesOf(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withDistinctTags(attributes: Attributes): Attributes {
  if (attributes.tags !== undefined) attributes.tags = [...new Set(attributes.tags)];
  return attributes;
}

/** The digest of what a version is made for: names that stand beside an id for people do not count. */
export function hashOf(content: EntityContent): string {
  const stated: unknown[] = [
    content.attributes,
    content.parent?.metadata_id ?? null,
    content.upstream.map((ref) => ref.metadata_id),
    content.relationships.map(edgeName),
  ];
  if (content.downstream !== undefined) stated.push(content.downstream.map((ref) => ref.metadata_id));
  return contentHash(stated);
}

export function edgeName(edge: Relationship<ResolvedRef>): string {
  return `${edge.relationship_type}|${edge.target.metadata_id}`;
}

type StatedEdges = Pick<StatedRecord, 'parent' | 'upstream' | 'downstream' | 'relationships'>;

/** What is given of the edges, with ids, each set without repetition and in a stable order. */
function resolvedEdges(tenantId: string, stated: StatedEdges): Omit<ContentPatch, 'attributes'> {
  const resolve = (ref: EntityRef): ResolvedRef =>
    'metadata_id' in ref ? ref : { metadata_id: metadataId(tenantId, ref.entity_type, ref.qualified_name), ...ref };
  const refs = (given: EntityRef[]): ResolvedRef[] => distinct(given.map(resolve), (ref) => ref.metadata_id);
  const { parent, upstream, downstream, relationships } = stated;
  return {
    ...(parent !== undefined && { parent: resolve(parent) }),
    ...(upstream !== undefined && { upstream: refs(upstream) }),
    ...(downstream !== undefined && { downstream: refs(downstream) }),
    ...(relationships !== undefined && {
      relationships: distinct(
        relationships.map(({ relationship_type, target }) => ({ relationship_type, target: resolve(target) })),
        edgeName,
      ),
    }),
  };
}

/** The items as a set, in a stable order. */
function distinct<T>(items: T[], keyOf: (item: T) => string): T[] {
  if (items.length === 0) return items;
  const byKey = new Map(items.map((item) => [keyOf(item), item]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}
