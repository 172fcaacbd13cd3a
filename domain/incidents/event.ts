import type { CloudEvent } from '../assets/change.ts';
import type { Incident, IncidentChange, IncidentUpdate } from './record.ts';

/** What `lily.incidents` says: the incident as it is now, and what has just happened to it. */
export interface IncidentData extends Incident {
  changes: IncidentChange[];
  revision: number;
  /** Whom an escalation tells; empty when it is none. */
  notify: string[];
  workflow_id: string;
}

export type IncidentEvent = CloudEvent<'lily.incident.v1', IncidentData>;

/** The event's id is made of the incident and its revision, so a retry repeats it. */
export function incidentEvent(
  { tenantId, incident, revision, entries, notify }: IncidentUpdate,
  workflowId: string,
): IncidentEvent {
  return {
    specversion: '1.0',
    id: `${incident.incident_id}:${revision}`,
    source: '/lily',
    type: 'lily.incident.v1',
    subject: incident.incident_id,
    time: incident.updated_at,
    datacontenttype: 'application/json',
    tenant: tenantId,
    data: {
      ...incident,
      changes: [...new Set(entries.map(({ change }) => change))],
      revision,
      notify,
      workflow_id: workflowId,
    },
  };
}
