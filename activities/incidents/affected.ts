import { limits } from '#domain/limits.ts';
import type { AffectedEntity, Assessment, IncidentEntity } from '#domain/incidents/record.ts';
import type { Expansion } from '#platform/neo4j/lineage.ts';

type Affected = Pick<Assessment, 'affected' | 'affected_count' | 'affected_more'>;

/**
 * What is downstream of the entities, each once, the nearest first. One hop at a time; bounded in hops and in entities.
 * @param downstreamOf one hop from each of the ids
 */
export async function affectedBy(
  entities: readonly IncidentEntity[],
  downstreamOf: (ids: string[]) => Promise<Expansion[]>,
): Promise<Affected> {
  const reached = new Set(entities.map(({ metadata_id }) => metadata_id));
  const affected: AffectedEntity[] = [];
  let count = 0;
  let frontier = [...reached];
  for (let distance = 1; distance <= limits.impactDepth && frontier.length > 0; distance += 1) {
    const next: string[] = [];
    for (const { to } of await downstreamOf(frontier)) {
      for (const { metadata_id, entity_type, qualified_name } of to) {
        if (reached.has(metadata_id)) continue;
        if (count >= limits.incidentAffectedCounted) return { affected, affected_count: count, affected_more: true };
        reached.add(metadata_id);
        next.push(metadata_id);
        count += 1;
        if (affected.length < limits.incidentAffected) {
          affected.push({ metadata_id, entity_type, qualified_name, distance });
        }
      }
    }
    frontier = next;
  }
  return { affected, affected_count: count, affected_more: frontier.length > 0 };
}
