import type { IncidentActivities } from '#activities/incidents/index.ts';
import { defaultIncidentPolicy, type IncidentPolicy } from '#domain/incidents/policy.ts';
import type { Assessment, IncidentChange, IncidentUpdate } from '#domain/incidents/record.ts';

export interface FakeIncidents {
  activities: IncidentActivities;
  /** What was kept and told, in its order. */
  updates: IncidentUpdate[];
  /** The changes of all updates, in their order. */
  changes(): IncidentChange[];
}

export interface FakeIncidentsPlan {
  policy?: IncidentPolicy;
  /** Called before each step; what it throws, the step throws. */
  fault?: (step: keyof IncidentActivities) => unknown;
}

const nothing: Assessment = { entities: [], unmatched: [], affected: [], affected_count: 0, affected_more: false };

/** The steps of `handleIncident` without any store. Claims are remembered as the real ones are. */
export function fakeIncidents({ policy = defaultIncidentPolicy, fault }: FakeIncidentsPlan = {}): FakeIncidents {
  const updates: IncidentUpdate[] = [];
  const claimed = new Map<string, string>();
  const step = async (name: keyof IncidentActivities): Promise<void> => void (await fault?.(name));
  const activities: IncidentActivities = {
    async claimReports({ source, key, incidentId, claims }) {
      await step('claimReports');
      return claims.flatMap(({ reportId, seq }) => {
        const id = `${source}:${key}:${reportId}`;
        const mine = `${incidentId}:${seq}`;
        if (!claimed.has(id)) claimed.set(id, mine);
        return claimed.get(id) === mine ? [seq] : [];
      });
    },
    async readPolicy() {
      await step('readPolicy');
      return policy;
    },
    async assessIncident({ named }) {
      await step('assessIncident');
      const entities = named.map((name) => ({
        metadata_id: JSON.stringify(name),
        entity_type: 'table',
        qualified_name: JSON.stringify(name),
      }));
      return { ...nothing, entities, affected_count: entities.length };
    },
    async recordChange(update) {
      await step('recordChange');
      updates.push(update);
    },
  };
  return {
    activities,
    updates,
    changes: () => updates.flatMap(({ entries }) => entries.map(({ change }) => change)),
  };
}
