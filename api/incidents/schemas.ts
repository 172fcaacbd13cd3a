import { z } from 'zod';
import { entityRefSchema, metadataIdSchema, qualifiedNameSchema } from '#domain/assets/record.ts';
import { incidentStates, severities } from '#domain/incidents/incident.ts';
import { incidentChanges, type TimelineEntry } from '#domain/incidents/record.ts';
import { limits } from '#domain/limits.ts';
import type { KeptIncident } from '#platform/mongo/incidents.ts';

const wholeNumber = `must be a whole number from 1 to ${limits.pageSize}`;
const pageFields = {
  limit: z
    .string()
    .regex(/^\d{1,9}$/, wholeNumber)
    .transform(Number)
    .pipe(z.int().min(1, wholeNumber).max(limits.pageSize, wholeNumber))
    .default(limits.defaultPageSize)
    .meta({ description: 'Items on one page' }),
  cursor: z.string().max(128).optional().meta({ description: 'The `next_cursor` of the page before' }),
};

export const listQuery = z.strictObject({
  state: z
    .enum(incidentStates, { error: `must be one of: ${incidentStates.join(', ')}` })
    .optional()
    .meta({ description: 'Only incidents in this state' }),
  severity: z
    .enum(severities, { error: `must be one of: ${severities.join(', ')}` })
    .optional()
    .meta({ description: 'Only incidents of this severity' }),
  metadata_id: metadataIdSchema
    .optional()
    .meta({ description: 'Only incidents that are about this entity, or that list it as affected' }),
  ...pageFields,
});

export const timelineQuery = z.strictObject(pageFields);

const commentText = z.string().min(1).max(limits.incidentCommentLength);
const person = z.string().min(1).max(256);

/** Body of `POST /v1/incidents`. */
export const openIncidentSchema = z
  .strictObject({
    title: z.string().min(1).max(limits.nameLength),
    severity: z.enum(severities).default('medium'),
    kind: z.string().min(1).max(128).default('manual'),
    entities: z
      .array(z.union([entityRefSchema, qualifiedNameSchema]))
      .max(limits.incidentEntities)
      .default([])
      .meta({ description: 'What it is about: references, or names of tables' }),
    comment: commentText.optional(),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .optional(),
  })
  .meta({ id: 'OpenIncident' });

export const noteSchema = z
  .strictObject({ comment: commentText.optional().meta({ description: 'Kept in the timeline' }) })
  .meta({ id: 'IncidentNote' });

export const assignSchema = z
  .strictObject({
    assignee: person.nullable().meta({ description: 'Who sees to it; null for nobody', examples: ['ada@example.org'] }),
    comment: commentText.optional(),
  })
  .meta({ id: 'AssignIncident' });

export const commentSchema = z.strictObject({ comment: commentText }).meta({ id: 'CommentIncident' });

const time = z.iso.datetime();
const entity = z.object({ metadata_id: z.string(), entity_type: z.string(), qualified_name: z.string() });

/** An incident as the API shows it. */
export const incidentViewSchema = z
  .object({
    incident_id: z.uuid(),
    source: z.string().meta({ description: 'Who found it' }),
    key: z.string().meta({ description: 'Its identity there' }),
    title: z.string(),
    kind: z.string(),
    severity: z.enum(severities),
    state: z.enum(incidentStates),
    entities: z.array(entity).meta({ description: 'What it is about' }),
    unmatched: z.array(z.string()).meta({ description: 'Names that no entity has, or too many' }),
    affected: z
      .array(entity.extend({ distance: z.int() }))
      .meta({ description: `What is downstream of it, the nearest ${limits.incidentAffected}` }),
    affected_count: z.int(),
    affected_more: z.boolean().meta({ description: 'Whether there may be more than were counted' }),
    assessed: z.boolean().meta({ description: 'Whether the graph has answered for all that was named' }),
    url: z.string().nullable(),
    opened_at: time,
    updated_at: time,
    acknowledged_at: time.nullable(),
    acknowledged_by: z.string().nullable(),
    assignee: z.string().nullable(),
    resolved_at: time.nullable(),
    resolved_by: z.string().nullable(),
    reopened: z.int().meta({ description: 'How many times it came back after it was resolved' }),
    reports: z.int(),
    comments: z.int(),
    escalation_level: z.int(),
    escalates_at: time.nullable().meta({ description: 'When the next level is told unless somebody acknowledges' }),
    workflow_id: z.string().meta({ description: 'Its workflow in Temporal' }),
  })
  .meta({ id: 'Incident' });

export const timelineEntrySchema = z
  .object({
    seq: z.int(),
    at: time,
    change: z.enum(incidentChanges),
    by: z.string().meta({ description: 'A user, the source of a report, or `lily`' }),
    text: z.string().nullable(),
    details: z.record(z.string(), z.json()).nullable().meta({ description: 'What the report said beyond its fields' }),
  })
  .meta({ id: 'IncidentTimelineEntry' });

export const incidentListSchema = z
  .object({ items: z.array(incidentViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'IncidentList' });

export const incidentWithTimelineSchema = incidentViewSchema
  .extend({
    timeline: z.array(timelineEntrySchema).meta({ description: 'The newest lines of its story, the newest first' }),
  })
  .meta({ id: 'IncidentWithTimeline' });

export const timelineSchema = z
  .object({ items: z.array(timelineEntrySchema), next_cursor: z.string().nullable() })
  .meta({ id: 'IncidentTimeline' });

export const webhookAnswerSchema = z
  .object({
    status: z.enum(['success', 'ignored']).meta({ description: '`ignored`: it is about no incident that is known' }),
    incident_id: z.uuid().optional(),
    workflow_id: z.string().optional(),
  })
  .meta({ id: 'MonteCarloAnswer' });

export function incidentView({ incident, workflowId }: KeptIncident): z.infer<typeof incidentViewSchema> {
  const { named: _named, ...shown } = incident;
  return {
    ...shown,
    url: incident.url ?? null,
    acknowledged_at: incident.acknowledged_at ?? null,
    acknowledged_by: incident.acknowledged_by ?? null,
    assignee: incident.assignee ?? null,
    resolved_at: incident.resolved_at ?? null,
    resolved_by: incident.resolved_by ?? null,
    escalates_at: incident.escalates_at ?? null,
    workflow_id: workflowId,
  };
}

export function timelineView({ text, details, ...entry }: TimelineEntry): z.infer<typeof timelineEntrySchema> {
  return { ...entry, text: text ?? null, details: details ?? null };
}
