import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { reportSignalName, type IdentifiedReport } from '#domain/incidents/incident.ts';
import type { Assignment, Incident, IncidentAction } from '#domain/incidents/record.ts';

/** A report of the incident. The first opens it, the others join. */
export const reportSignal = defineSignal<[IdentifiedReport]>(reportSignalName);

/** The incident as the workflow knows it; null when nothing has opened it yet. */
export const incidentQuery = defineQuery<Incident | null>('incident');

/** Somebody takes it: it escalates no more. Refused unless it is open. */
export const acknowledgeUpdate = defineUpdate<Incident, [IncidentAction]>('acknowledge');

/** Gives it to somebody, or to nobody. Refused when it is resolved. */
export const assignUpdate = defineUpdate<Incident, [Assignment]>('assign');

/** Says something about it. */
export const commentUpdate = defineUpdate<Incident, [IncidentAction]>('comment');

/** It is over. Refused when it is resolved already. */
export const resolveUpdate = defineUpdate<Incident, [IncidentAction]>('resolve');
