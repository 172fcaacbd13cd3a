import { z } from 'zod';
import { limits } from '../limits.ts';

const noNul = (text: string): boolean => !text.includes('\u0000');

function nameSchema(maxLength: number) {
  return z.string().min(1).max(maxLength).refine(noNul, 'may not contain the NUL character (U+0000)');
}

/** What a facet holds is the producer's own affair; only that it is an object is asked for. */
const facetsSchema = z.record(z.string(), z.looseObject({}).nullable()).nullable().optional();

const datasetSchema = z.looseObject({
  namespace: nameSchema(limits.lineageNamespaceLength),
  name: nameSchema(limits.nameLength),
  facets: facetsSchema,
  inputFacets: facetsSchema,
  outputFacets: facetsSchema,
});

const jobSchema = z.looseObject({
  namespace: nameSchema(limits.lineageNamespaceLength),
  name: nameSchema(limits.nameLength),
  facets: facetsSchema,
});

export const runEventTypes = ['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'] as const;
export type RunEventType = (typeof runEventTypes)[number];

/** With an offset or, as some producers send it, without one (then UTC) or with a zone's name behind it. */
const timePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?(?:\[[^\]]{1,64}\])?$/i;

/** The moment of an `eventTime`, in milliseconds since 1970; undefined when it is none. */
export function eventMoment(text: string): number | undefined {
  const [, moment, offset = 'Z'] = timePattern.exec(text) ?? [];
  if (moment === undefined) return undefined;
  const parsed = Date.parse(moment.toUpperCase() + offset.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2'));
  return Number.isNaN(parsed) ? undefined : parsed;
}

const timeSchema = z
  .string()
  .refine((text) => eventMoment(text) !== undefined, 'must be a time, for example 2026-01-31T08:30:00.000Z');

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const envelope = {
  eventTime: timeSchema,
  producer: z.string().nullable().optional(),
  schemaURL: z.string().nullable().optional(),
};

const datasetsSchema = z.array(datasetSchema).max(limits.lineageDatasetsPerEvent).nullable().optional();

const runEventSchema = z.looseObject({
  ...envelope,
  eventType: z
    .string()
    .refine(
      (text) => runEventTypes.some((type) => type === text.toUpperCase()),
      `must be one of: ${runEventTypes.join(', ')}`,
    )
    .nullable()
    .optional(),
  run: z.looseObject({ runId: z.string().regex(uuid, 'must be a UUID'), facets: facetsSchema }),
  job: jobSchema,
  inputs: datasetsSchema,
  outputs: datasetsSchema,
});

const jobEventSchema = z.looseObject({
  ...envelope,
  job: jobSchema,
  inputs: datasetsSchema,
  outputs: datasetsSchema,
});

const datasetEventSchema = z.looseObject({ ...envelope, dataset: datasetSchema });

/** Any OpenLineage event, for the API's description. */
export const eventSchema = z.union([runEventSchema, jobEventSchema, datasetEventSchema]).meta({
  id: 'OpenLineageEvent',
  description: 'A run, job or dataset event of OpenLineage. Fields and facets that are not described here are kept.',
});

export type Facets = Record<string, Record<string, unknown> | null>;

export interface EventDataset {
  namespace: string;
  name: string;
  facets?: Facets | null | undefined;
  inputFacets?: Facets | null | undefined;
  outputFacets?: Facets | null | undefined;
}

export interface EventJob {
  namespace: string;
  name: string;
  facets?: Facets | null | undefined;
}

interface Envelope {
  eventTime: string;
  producer?: string | null | undefined;
}

export interface RunEvent extends Envelope {
  eventType?: string | null | undefined;
  run: { runId: string; facets?: Facets | null | undefined };
  job: EventJob;
  inputs?: EventDataset[] | null | undefined;
  outputs?: EventDataset[] | null | undefined;
}

export interface JobEvent extends Envelope {
  job: EventJob;
  inputs?: EventDataset[] | null | undefined;
  outputs?: EventDataset[] | null | undefined;
}

export interface DatasetEvent extends Envelope {
  dataset: EventDataset;
}

/** An event of which the class is known. */
export type LineageEvent =
  { kind: 'run'; event: RunEvent } | { kind: 'job'; event: JobEvent } | { kind: 'dataset'; event: DatasetEvent };

export type ReadEvent = { ok: true; lineage: LineageEvent } | { ok: false; error: z.ZodError };

/**
 * Checks what all of Lily relies on of an event, and finds out its class: by the tail of its `schemaURL`, or, when that is
 * missing, a run event. The event itself is given back, not a copy.
 */
export function readEvent(body: unknown): ReadEvent {
  switch (eventClass(body)) {
    case 'job': {
      const parsed = jobEventSchema.safeParse(body);
      return parsed.success
        ? { ok: true, lineage: { kind: 'job', event: body as JobEvent } }
        : { ok: false, error: parsed.error };
    }
    case 'dataset': {
      const parsed = datasetEventSchema.safeParse(body);
      return parsed.success
        ? { ok: true, lineage: { kind: 'dataset', event: body as DatasetEvent } }
        : { ok: false, error: parsed.error };
    }
    case 'run': {
      const parsed = runEventSchema.safeParse(body);
      return parsed.success
        ? { ok: true, lineage: { kind: 'run', event: body as RunEvent } }
        : { ok: false, error: parsed.error };
    }
  }
}

function eventClass(body: unknown): LineageEvent['kind'] {
  const url = typeof body === 'object' && body !== null && 'schemaURL' in body ? body.schemaURL : undefined;
  if (typeof url !== 'string') return 'run';
  if (url.endsWith('JobEvent')) return 'job';
  return url.endsWith('DatasetEvent') ? 'dataset' : 'run';
}

/** What happened to the run, by name; an event that does not say is something else. */
export function runEventType(event: RunEvent): RunEventType {
  const type = event.eventType?.toUpperCase();
  return runEventTypes.find((known) => known === type) ?? 'OTHER';
}
