import { limits } from '../limits.ts';
import { utf8Bytes } from '../utf8.ts';
import type { LineageName } from './names.ts';
import {
  eventMoment,
  runEventType,
  runEventTypes,
  type EventDataset,
  type Facets,
  type RunEvent,
  type RunEventType,
} from './event.ts';

/** A run's states, in the words of Marquez. `NEW`: something was said of it, but not yet that it began. */
export const runStates = ['NEW', 'RUNNING', 'COMPLETED', 'ABORTED', 'FAILED'] as const;
export type LineageRunState = (typeof runStates)[number];

/** When events of one type happened, in milliseconds since 1970. */
interface Span {
  first: number;
  last: number;
}

/** The newest that was said under a facet's name. */
interface DatedFacet {
  at: number;
  body: Record<string, unknown>;
}

/**
 * Everything that the events of one run have said. A union of what they say, by the times that they carry: it comes out the
 * same in whatever order and however often they arrive.
 */
export interface RunFacts {
  runId: string;
  job: LineageName;
  times: Partial<Record<RunEventType, Span>>;
  facets: Record<string, DatedFacet>;
  inputs: LineageName[];
  outputs: LineageName[];
  producer: string;
}

/** What the facts come to. Times in milliseconds since 1970. */
export interface RunSummary {
  state: LineageRunState;
  firstEventAt: number;
  lastEventAt: number;
  startedAt: number;
  endedAt?: number;
  durationMs?: number;
  nominalStartTime?: string;
  nominalEndTime?: string;
  parent?: { runId: string; job: LineageName };
  error?: { message: string; programmingLanguage?: string; stackTrace?: string };
}

/** How a run ended, from what outweighs to what is outweighed by an event of the same moment. */
const endings = [
  ['FAIL', 'FAILED'],
  ['ABORT', 'ABORTED'],
  ['COMPLETE', 'COMPLETED'],
] as const;

/** Datasets of one run that are kept, each way. */
const datasetsPerRun = 10_000;

/** What a name takes as stored beside its text. */
const bytesPerName = 48;

export function emptyRun(event: RunEvent): RunFacts {
  const { namespace, name } = event.job;
  return {
    runId: event.run.runId.toLowerCase(),
    job: { namespace, name },
    times: {},
    facets: {},
    inputs: [],
    outputs: [],
    producer: producerOf(event),
  };
}

function producerOf({ producer }: RunEvent): string {
  return producer?.slice(0, limits.qualifiedNameLength) ?? '';
}

/** Adds what an event says. @param keptFacets the event's run facets, as far as they are kept */
export function withEvent(run: RunFacts, event: RunEvent, keptFacets: Facets): RunFacts {
  const at = eventMoment(event.eventTime) ?? 0;
  const type = runEventType(event);
  const span = run.times[type];
  return {
    ...run,
    times: {
      ...run.times,
      [type]: { first: Math.min(at, span?.first ?? at), last: Math.max(at, span?.last ?? at) },
    },
    facets: facetsAfter(run.facets, at, keptFacets),
    inputs: union(run.inputs, event.inputs ?? []),
    outputs: union(run.outputs, event.outputs ?? []),
    producer: run.producer === '' ? producerOf(event) : run.producer,
  };
}

/** A run that never stops finding new names may not grow beyond what can be stored. */
function facetsAfter(known: RunFacts['facets'], at: number, said: Facets): RunFacts['facets'] {
  const facets = { ...known };
  for (const [name, body] of Object.entries(said)) {
    if (body === null || !isNewer({ at, body }, facets[name])) continue;
    if (!Object.hasOwn(facets, name) && Object.keys(facets).length >= limits.facetsPerEntity) continue;
    facets[name] = { at, body };
    if (hasRoom(facets)) continue;
    facets[name] = { at, body: { _omitted: `all facets of the run have more than ${limits.keptFacetBytes} bytes` } };
  }
  return facets;
}

function hasRoom(facets: RunFacts['facets']): boolean {
  // Each is bounded: a few of them need not be measured.
  if (Object.keys(facets).length * limits.facetBytes <= limits.keptFacetBytes) return true;
  let bytes = 0;
  for (const { body } of Object.values(facets)) bytes += utf8Bytes(JSON.stringify(body));
  return bytes <= limits.keptFacetBytes;
}

function isNewer(candidate: DatedFacet, known: DatedFacet | undefined): boolean {
  if (known === undefined || candidate.at !== known.at) return candidate.at > (known?.at ?? -Infinity);
  return JSON.stringify(candidate.body) > JSON.stringify(known.body);
}

function keyOf({ namespace, name }: LineageName): string {
  return `${namespace}\u0000${name}`;
}

/** The names as a set, sorted. The very same list when nothing is new, which is the usual case. */
function union(known: LineageName[], added: readonly EventDataset[]): LineageName[] {
  const byKey = new Map(known.map((name) => [keyOf(name), name]));
  for (const dataset of added) {
    const key = keyOf(dataset);
    if (!byKey.has(key)) byKey.set(key, { namespace: dataset.namespace, name: dataset.name });
  }
  if (byKey.size === known.length) return known;
  const kept: LineageName[] = [];
  let bytes = 0;
  // The first ones in their order: whatever comes when, the same are kept.
  for (const [key, name] of [...byKey].sort(([a], [b]) => (a < b ? -1 : 1))) {
    bytes += utf8Bytes(key) + bytesPerName;
    if (kept.length >= datasetsPerRun || bytes > limits.lineageNameBytes) break;
    kept.push(name);
  }
  return kept;
}

export function summaryOf(run: RunFacts): RunSummary {
  const spans = runEventTypes.flatMap((type) => run.times[type] ?? []);
  const firstEventAt = Math.min(...spans.map(({ first }) => first));
  const lastEventAt = Math.max(...spans.map(({ last }) => last));
  const startedAt = run.times.START?.first ?? firstEventAt;
  const ended = endOf(run);
  const begun = run.times.START !== undefined || run.times.RUNNING !== undefined;
  return {
    state: ended?.state ?? (begun ? 'RUNNING' : 'NEW'),
    firstEventAt,
    lastEventAt,
    startedAt,
    ...(ended !== undefined && { endedAt: ended.at, durationMs: Math.max(0, ended.at - startedAt) }),
    ...nominalOf(run),
    ...parentOf(run),
    ...errorOf(run),
  };
}

/** The last ending counts: a run that failed and was said to be complete later is complete. */
function endOf({ times }: RunFacts): { state: LineageRunState; at: number } | undefined {
  let end: { state: LineageRunState; at: number } | undefined;
  for (const [type, state] of endings) {
    const at = times[type]?.last;
    if (at !== undefined && (end === undefined || at > end.at)) end = { state, at };
  }
  return end;
}

function nominalOf({ facets }: RunFacts): Pick<RunSummary, 'nominalStartTime' | 'nominalEndTime'> {
  const { nominalStartTime, nominalEndTime } = facets['nominalTime']?.body ?? {};
  return {
    ...(typeof nominalStartTime === 'string' && { nominalStartTime }),
    ...(typeof nominalEndTime === 'string' && { nominalEndTime }),
  };
}

function parentOf({ facets }: RunFacts): Pick<RunSummary, 'parent'> {
  const { run, job } = (facets['parent'] ?? facets['parentRun'])?.body ?? {};
  const runId = textAt(run, 'runId');
  const [namespace, name] = [textAt(job, 'namespace'), textAt(job, 'name')];
  if (runId === undefined || namespace === undefined || name === undefined) return {};
  return { parent: { runId: runId.toLowerCase(), job: { namespace, name } } };
}

function errorOf({ facets }: RunFacts): Pick<RunSummary, 'error'> {
  const body = facets['errorMessage']?.body;
  const message = textAt(body, 'message');
  if (message === undefined) return {};
  const programmingLanguage = textAt(body, 'programmingLanguage');
  const stackTrace = textAt(body, 'stackTrace');
  return {
    error: {
      message,
      ...(programmingLanguage !== undefined && { programmingLanguage }),
      ...(stackTrace !== undefined && { stackTrace }),
    },
  };
}

function textAt(value: unknown, key: string): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'string' && found !== '' ? found : undefined;
}
