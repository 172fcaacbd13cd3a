import type { EntityVersion } from '#domain/assets/entity.ts';
import type { GraphEntity, OwnedEdge } from '#platform/neo4j/graph-writer.ts';

const edgeFields = ['parent', 'upstream', 'downstream', 'relationships'];

/**
 * What the graph should say after a batch: each entity's newest version, and its edges if any of the versions changed them.
 * `versions` holds each entity's versions in order.
 */
export function graphEntities(versions: readonly EntityVersion[]): GraphEntity[] {
  const entities = new Map<string, GraphEntity>();
  for (const version of versions) {
    const known = entities.get(version.entity_id);
    const changesEdges =
      version.change !== 'updated' || version.changed_fields.some((field) => edgeFields.includes(field));
    entities.set(version.entity_id, {
      entityId: version.entity_id,
      version: version.version,
      deleted: version.change === 'deleted',
      entityType: version.entity_type,
      qualifiedName: version.qualified_name,
      name: version.attributes.name,
      tags: version.attributes.tags ?? [],
      ...(changesEdges ? { edges: ownedEdges(version), edgesVersion: version.version } : edgesOf(known)),
    });
  }
  return [...entities.values()];
}

function edgesOf(known: GraphEntity | undefined): Pick<GraphEntity, 'edges' | 'edgesVersion'> {
  if (known?.edges === undefined || known.edgesVersion === undefined) return {};
  return { edges: known.edges, edgesVersion: known.edgesVersion };
}

/** The edges that a version states. A deleted entity states none; what others state of it is theirs, and stays. */
function ownedEdges(version: EntityVersion): OwnedEdge[] {
  if (version.change === 'deleted') return [];
  const edges: OwnedEdge[] = version.upstream.map((ref) => ({ kind: 'FEEDS', otherId: ref.metadata_id }));
  for (const { metadata_id } of version.downstream ?? []) {
    // Both ways to itself would be one and the same edge.
    const stated = metadata_id === version.entity_id && edges.some(({ otherId }) => otherId === metadata_id);
    if (!stated) edges.push({ kind: 'FEEDS_OTHER', otherId: metadata_id });
  }
  if (version.parent !== undefined) edges.push({ kind: 'CONTAINS', otherId: version.parent.metadata_id });
  for (const { relationship_type, target } of version.relationships) {
    edges.push({ kind: 'RELATES', otherId: target.metadata_id, relationshipType: relationship_type });
  }
  return edges;
}
