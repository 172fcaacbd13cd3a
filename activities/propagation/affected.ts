import { maxCauses, type ImpactCause } from '#domain/propagation/impact.ts';
import type { Expansion, LineageNode } from '#platform/neo4j/lineage.ts';

/** An entity that changes upstream concern. */
export interface Affected {
  node: Omit<LineageNode, 'distance'>;
  /** Nearest first, at most {@link maxCauses}. */
  causes: ImpactCause[];
  moreCauses: boolean;
}

type Root = Omit<ImpactCause, 'distance'>;

/**
 * Follows changes downstream, one hop at a time, and finds each affected entity once, with the changes that concern it and
 * how far away they are. Cycles end because a cause reaches an entity only once, by its shortest way.
 * @param downstreamOf one hop from each of the ids.
 */
export async function findAffected(
  roots: readonly Root[],
  maxDepth: number,
  downstreamOf: (ids: string[]) => Promise<Expansion[]>,
): Promise<Affected[]> {
  const affected = new Map<string, Affected>();
  let frontier = new Map<string, Root[]>(roots.map((root) => [root.metadata_id, [root]]));
  for (let distance = 1; distance <= maxDepth && frontier.size > 0; distance++) {
    const next = new Map<string, Root[]>();
    for (const { from, to } of await downstreamOf([...frontier.keys()])) {
      for (const node of to) {
        const arrived = arrive(
          affected,
          node,
          frontier.get(from) ?? [],
          affected.get(from)?.moreCauses ?? false,
          distance,
        );
        if (arrived.length > 0) next.set(node.metadata_id, [...(next.get(node.metadata_id) ?? []), ...arrived]);
      }
    }
    frontier = next;
  }
  return [...affected.values()].sort((a, b) => (a.node.metadata_id < b.node.metadata_id ? -1 : 1));
}

/** Notes the roots at the node and gives those that were new to it: they are followed further. */
function arrive(
  affected: Map<string, Affected>,
  node: Affected['node'],
  roots: Root[],
  more: boolean,
  distance: number,
): Root[] {
  const known = affected.get(node.metadata_id) ?? { node, causes: [], moreCauses: false };
  if (more) known.moreCauses = true;
  const arrived: Root[] = [];
  for (const root of roots) {
    if (root.metadata_id === node.metadata_id) continue;
    if (known.causes.some((cause) => cause.metadata_id === root.metadata_id)) continue;
    if (known.causes.length >= maxCauses) {
      known.moreCauses = true;
      break;
    }
    known.causes.push({ ...root, distance });
    arrived.push(root);
  }
  if (known.causes.length > 0) affected.set(node.metadata_id, known);
  return arrived;
}
