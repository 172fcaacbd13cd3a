import { z } from 'zod';
import { entityRefSchema, qualifiedNameSchema } from '../assets/record.ts';
import { limits } from '../limits.ts';

/** From least to most. */
export const severities = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** What an incident is opened with when its report does not say. */
export const defaultSeverity: Severity = 'medium';

/** `open`: nobody has taken it yet, so it escalates. `acknowledged`: somebody has. `resolved`: it is over. */
export const incidentStates = ['open', 'acknowledged', 'resolved'] as const;
export type IncidentState = (typeof incidentStates)[number];

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
const noControls = (text: string): boolean => !/[\u0000-\u001f\u007f]/.test(text);

/** Who finds incidents: `monte-carlo`, `dbt`, `openlineage`, `manual`, the name of a webhook. */
export const incidentSourceSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{0,63}$/, 'must be 1 to 64 lower-case letters, digits, `_`, `.` or `-`');

/**
 * What a monitor says of an incident. The first open report of a `key` opens the incident; what comes later with the same
 * source and key joins it: more events, another severity, a comment, its end.
 */
export const incidentReportSchema = z
  .strictObject({
    /** Two reports with the same id are one. Without it, reports with the same content are one. */
    report_id: z.string().min(1).max(200).optional(),
    source: incidentSourceSchema,
    /** The incident's identity at its source: the id of an alert, of a test, of an assertion. */
    key: z
      .string()
      .min(1)
      .refine((key) => bytesOf(key) <= limits.incidentKeyBytes, `may have at most ${limits.incidentKeyBytes} bytes`)
      .refine(noControls, 'may not contain control characters'),
    title: z.string().min(1).max(limits.nameLength),
    /** Left out, the incident keeps its severity; a new one is `medium`. */
    severity: z.enum(severities).optional(),
    /** What went wrong, in the source's own word: `freshness`, `failing-test`, `schema-change`. */
    kind: z.string().min(1).max(128),
    /** What it is about: references, or names of tables as the source writes them (`db:schema.table`, `SCHEMA.TABLE`). */
    entities: z
      .array(
        z.union([entityRefSchema, qualifiedNameSchema], {
          error: 'must be the name of a table, {"metadata_id": …} or {"entity_type": …, "qualified_name": …}',
        }),
      )
      .max(limits.incidentEntities),
    occurred_at: z.iso.datetime({ offset: true }),
    /** `resolved` ends the incident; one that is not known is not opened by it. */
    status: z.enum(['open', 'resolved']),
    /** Somebody has taken it, at the source. */
    acknowledged: z.literal(true).optional(),
    /** Who has it, at the source. */
    assignee: z.string().min(1).max(limits.nameLength).optional(),
    comment: z.string().min(1).max(limits.incidentCommentLength).optional(),
    /** Whatever else the source says; kept in the timeline. */
    details: z.record(z.string(), z.json()).optional(),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .optional(),
  })
  .refine((report) => bytesOf(JSON.stringify(report)) <= limits.incidentReportBytes, {
    message: `may have at most ${limits.incidentReportBytes} bytes as JSON`,
  });

export type IncidentReport = z.infer<typeof incidentReportSchema>;

/** A report whose id is known. */
export type IdentifiedReport = IncidentReport & { report_id: string };

/** One workflow for all reports of one incident. Neither a tenant's id nor a source holds a colon. */
export function incidentWorkflowId(tenantId: string, source: string, key: string): string {
  return `incident:${tenantId}:${source}:${key}`;
}

/** Input of the `handleIncident` workflow. The reports follow as signals. */
export interface IncidentRequest {
  tenantId: string;
  source: string;
  key: string;
  /** The id that the incident gets if a report opens it. */
  incidentId: string;
  /** Changes after which the workflow continues as new; without it, when Temporal suggests so. */
  changesPerExecution?: number;
}

/** The name of the signal that brings a report, of type {@link IdentifiedReport}. */
export const reportSignalName = 'report';

/** The key of the workflow's memo that says the incident's id to those who join it. */
export const incidentIdMemo = 'incidentId';
