import type { ChangeKind } from '../assets/entity.ts';
import type { IncidentState, Severity } from '../incidents/incident.ts';
import type { IncidentChange } from '../incidents/record.ts';
import type { ImpactCause } from '../propagation/impact.ts';

/** A message on `/ws/notifications` about an entity that changed. */
export interface UpdateMessage {
  type: 'update';
  /** Say this as `last_id` when you come back, and you miss nothing. */
  id: string;
  metadata_id: string;
  entity_type: string;
  change: ChangeKind;
  timestamp: string;
  version: number;
}

/** A message about an entity that something upstream of it concerns. */
export interface ImpactMessage {
  type: 'impact';
  id: string;
  metadata_id: string;
  entity_type: string;
  causes: ImpactCause[];
  timestamp: string;
}

/** A message about an incident: what has just happened to it, and how it stands now. */
export interface IncidentMessage {
  type: 'incident';
  id: string;
  incident_id: string;
  changes: IncidentChange[];
  state: IncidentState;
  severity: Severity;
  title: string;
  /** What it is about. */
  metadata_ids: string[];
  /** How many entities downstream it concerns; the nearest are in the incident itself. */
  affected_count: number;
  /** Escalation levels reached so far. */
  escalation_level: number;
  /** Whom an escalation tells; empty when this is none. */
  notify: string[];
  timestamp: string;
}

/** The first message of every connection: where the client is now, before anything has happened. */
export interface HelloMessage {
  type: 'hello';
  id: string;
}

/** Some messages between the last id and now are no longer kept: read the present state anew. */
export interface GapMessage {
  type: 'gap';
  id: string;
  detail: string;
}

export type NotificationMessage = HelloMessage | UpdateMessage | ImpactMessage | IncidentMessage | GapMessage;
