import type { IngestBody } from '#domain/assets/record.ts';
import { metadataId } from '#platform/digest.ts';
import type { Random } from './random.ts';

/** An entity of the load. Its client is the only one that writes it. */
export interface LoadEntity {
  tenantId: string;
  entityId: string;
  entityType: string;
  qualifiedName: string;
  /** Entities are fed by others of their group with a lower place, so that lineage has depth and no cycles. */
  group: number;
  place: number;
  /** The content that was sent last, and the one before. */
  last?: IngestBody;
  before?: IngestBody;
  revision: number;
}

export const groupSize = 16;

export function loadEntity(tenantId: string, index: number): LoadEntity {
  const entityType = index % groupSize < 4 ? 'column' : 'table';
  const qualifiedName = nameAt(index);
  return {
    tenantId,
    entityId: metadataId(tenantId, entityType, qualifiedName),
    entityType,
    qualifiedName,
    group: Math.floor(index / groupSize),
    place: index % groupSize,
    revision: 0,
  };
}

function nameAt(index: number): string {
  return `chaos.g${Math.floor(index / groupSize)}.e${index % groupSize}`;
}

/** A new content for the entity: a revision of its own, now and then other edges. */
export function newContent(entity: LoadEntity, random: Random): IngestBody {
  entity.revision += 1;
  const kept = entity.last;
  const edges = kept === undefined || random.chance(0.3) ? newEdges(entity, random) : edgesOf(kept);
  return {
    entity_type: entity.entityType,
    qualified_name: entity.qualifiedName,
    attributes: {
      name: `e${entity.place}`,
      description: `revision ${entity.revision}`,
      tags: random.chance(0.3) ? [`t${random.below(5)}`, `t${random.below(5)}`] : ['chaos'],
      $odd: { 'a.b': entity.revision, $ref: 'kept' },
    },
    ...edges,
  };
}

function edgesOf({ parent, upstream, relationships }: IngestBody) {
  return {
    ...(parent !== undefined && { parent }),
    ...(upstream !== undefined && { upstream }),
    ...(relationships !== undefined && { relationships }),
  };
}

/** By name or by id; mostly to entities of the load, now and then to one that never comes. */
function newEdges(entity: LoadEntity, random: Random): ReturnType<typeof edgesOf> {
  const refTo = (place: number) => {
    const other = loadEntity(entity.tenantId, entity.group * groupSize + place);
    return random.chance(0.5)
      ? { metadata_id: other.entityId }
      : { entity_type: other.entityType, qualified_name: other.qualifiedName };
  };
  const ghost = { entity_type: 'table', qualified_name: `ghost.${random.below(200)}` };
  const upstream = Array.from({ length: Math.min(entity.place, random.below(4)) }, () =>
    refTo(random.below(entity.place)),
  );
  if (random.chance(0.05)) upstream.push(ghost);
  return {
    ...(random.chance(0.5) && { parent: random.chance(0.9) ? refTo(random.below(groupSize)) : ghost }),
    upstream,
    ...(random.chance(0.15) && {
      relationships: [{ relationship_type: 'JOINS_WITH', target: refTo(random.below(groupSize)) }],
    }),
  };
}
