import type { EntityRef, Json } from '../assets/entity.ts';
import type { IncidentState, Severity } from './incident.ts';

/** An entity that an incident is about. */
export interface IncidentEntity {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
}

/** One that is downstream of it. */
export interface AffectedEntity extends IncidentEntity {
  /** Hops from the nearest entity that the incident is about. */
  distance: number;
}

/** What an incident is about and whom it concerns, as the graph knew it when it was asked. */
export interface Assessment {
  entities: IncidentEntity[];
  /** Names that no entity of the tenant has, or too many. */
  unmatched: string[];
  /** The nearest first; not all when `affected_count` says more. */
  affected: AffectedEntity[];
  affected_count: number;
  /** Whether the walk ended at its limit, so that there may be more than `affected_count`. */
  affected_more: boolean;
}

/** Everything that is known of an incident, but for its timeline. Times are RFC 3339. */
export interface Incident extends Assessment {
  incident_id: string;
  source: string;
  key: string;
  title: string;
  kind: string;
  severity: Severity;
  state: IncidentState;
  /** What the reports named, in their own words. */
  named: (EntityRef | string)[];
  /** Whether {@link Assessment} is of all that was named: false until the graph has answered. */
  assessed: boolean;
  url?: string;
  opened_at: string;
  updated_at: string;
  acknowledged_at?: string;
  acknowledged_by?: string;
  assignee?: string;
  resolved_at?: string;
  resolved_by?: string;
  /** How many times it came back after it was resolved. */
  reopened: number;
  /** Reports that were taken, each once. */
  reports: number;
  comments: number;
  /** Escalation levels reached since it was opened or reopened. */
  escalation_level: number;
  /** When the next level is reached unless somebody acknowledges. */
  escalates_at?: string;
}

export const incidentChanges = [
  'opened',
  'reported',
  'severity-changed',
  'assessed',
  'escalated',
  'acknowledged',
  'assigned',
  'commented',
  'resolved',
  'reopened',
] as const;

export type IncidentChange = (typeof incidentChanges)[number];

/** One line of an incident's story. */
export interface TimelineEntry {
  /** Counts from 1. */
  seq: number;
  at: string;
  change: IncidentChange;
  /** A user of the tenant, the source of a report, or `lily`. */
  by: string;
  text?: string;
  /** What the report said beyond the documented fields. */
  details?: { [key: string]: Json };
}

/** The incident after a change, with what is new in its story. */
export interface IncidentUpdate {
  tenantId: string;
  incident: Incident;
  /** Counts up: an older update never replaces a newer one. */
  revision: number;
  entries: TimelineEntry[];
  /** Whom an escalation in this update tells. */
  notify: string[];
}

/** What people do with an incident. An action whose id has been seen has no effect a second time. */
export interface IncidentAction {
  action_id: string;
  /** A workflow's id outlives its incident: what is meant for one that is over never reaches the next. */
  incident_id: string;
  by: string;
  text?: string;
}

export interface Assignment extends IncidentAction {
  /** Absent: nobody has it any more. */
  assignee?: string;
}

/** The names of the workflow's updates; each answers with the {@link Incident} as it is then. */
export const incidentUpdates = ['acknowledge', 'assign', 'comment', 'resolve'] as const;
export type IncidentUpdateName = (typeof incidentUpdates)[number];
