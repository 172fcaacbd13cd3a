import type { EntityRef } from '#domain/assets/entity.ts';
import { incidentEvent } from '#domain/incidents/event.ts';
import { incidentWorkflowId } from '#domain/incidents/incident.ts';
import { defaultIncidentPolicy, type IncidentPolicy } from '#domain/incidents/policy.ts';
import type { Assessment, Incident, IncidentEntity, IncidentUpdate } from '#domain/incidents/record.ts';
import { limits } from '#domain/limits.ts';
import { entityKey, topics } from '#domain/topics.ts';
import { metadataId } from '#platform/digest.ts';
import type { GroupCommitProducer } from '#platform/kafka/producer.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { IncidentPolicies } from '#platform/mongo/incident-policies.ts';
import type { Incidents, ReportClaims } from '#platform/mongo/incidents.ts';
import type { NamedEntities } from '#platform/mongo/named-entities.ts';
import type { Lineage } from '#platform/neo4j/lineage.ts';
import { affectedBy } from './affected.ts';
import { endingsOf, meantBy } from './matching.ts';

export interface IncidentDeps {
  incidents: Pick<Incidents, 'claim' | 'save'>;
  policies: Pick<IncidentPolicies, 'get'>;
  entities: Pick<Entities, 'getMany'>;
  namedEntities: NamedEntities;
  lineage: Pick<Lineage, 'downstreamOf'>;
  producer: Pick<GroupCommitProducer, 'send'>;
}

export type IncidentActivities = ReturnType<typeof incidentActivities>;

/** The side effects of `handleIncident`. */
export function incidentActivities(deps: IncidentDeps) {
  return {
    /**
     * Claims reports for the incident, for good: one that any incident has taken before is no news. Answers the numbers of
     * those that are; a claim that is repeated with its number is answered as the first time.
     */
    async claimReports(claims: ReportClaims): Promise<number[]> {
      return deps.incidents.claim(claims);
    },

    async readPolicy(tenantId: string): Promise<IncidentPolicy> {
      return (await deps.policies.get(tenantId)) ?? defaultIncidentPolicy;
    },

    /** Finds the entities that are meant, and what is downstream of them. */
    async assessIncident({ tenantId, named }: { tenantId: string; named: Incident['named'] }): Promise<Assessment> {
      const { found, unmatched } = await findEntities(deps, tenantId, named);
      const affected = await affectedBy(found, (ids) => deps.lineage.downstreamOf(tenantId, ids));
      return { entities: found, unmatched, ...affected };
    },

    /** Keeps what has happened, then tells it. Idempotent: the document by its revision, the event by its id. */
    async recordChange(update: IncidentUpdate): Promise<void> {
      const { tenantId, incident } = update;
      await deps.incidents.save(update);
      const event = incidentEvent(update, incidentWorkflowId(tenantId, incident.source, incident.key));
      const message = { key: entityKey(tenantId, incident.incident_id), value: JSON.stringify(event) };
      await deps.producer.send(topics.incidents, [message]);
    },
  };
}

async function findEntities(
  deps: IncidentDeps,
  tenantId: string,
  named: Incident['named'],
): Promise<{ found: IncidentEntity[]; unmatched: string[] }> {
  const names = named.filter((name) => typeof name === 'string');
  const refs = named.filter((name) => typeof name !== 'string');
  const ids = new Map(refs.map((ref) => [idOf(tenantId, ref), ref]));
  const [byId, candidates] = await Promise.all([
    deps.entities.getMany(tenantId, [...ids.keys()]),
    deps.namedEntities.called(tenantId, [...new Set(names.flatMap(endingsOf))]),
  ]);
  const found = new Map<string, IncidentEntity>();
  const unmatched: string[] = [];
  for (const [id, ref] of ids) {
    const entity = byId.get(id);
    if (entity === undefined || entity.deleted) unmatched.push(wordsOf(ref));
    else found.set(id, { metadata_id: id, entity_type: entity.entity_type, qualified_name: entity.qualified_name });
  }
  for (const name of names) {
    const meant = meantBy(name, candidates);
    if (meant.length === 0) unmatched.push(name);
    for (const entity of meant) found.set(entity.metadata_id, entity);
  }
  return { found: [...found.values()].slice(0, limits.incidentEntities), unmatched };
}

function idOf(tenantId: string, ref: EntityRef): string {
  return 'metadata_id' in ref ? ref.metadata_id : metadataId(tenantId, ref.entity_type, ref.qualified_name);
}

function wordsOf(ref: EntityRef): string {
  return 'metadata_id' in ref ? ref.metadata_id : `${ref.entity_type} ${ref.qualified_name}`;
}
