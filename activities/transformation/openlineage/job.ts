import type { EntityRef, Json } from '#domain/assets/entity.ts';
import type { MergeRecord } from '#domain/assets/record.ts';
import { eventMoment, type EventDataset, type EventJob, type Facets } from '#domain/openlineage/event.ts';
import { lineageQualifiedName, lineageTypes, type LineageName } from '#domain/openlineage/names.ts';
import { summaryOf, type RunFacts } from '#domain/openlineage/run.ts';
import type { AppliedState, OpenLineageStateDoc } from '#platform/mongo/openlineage-state.ts';
import { describedBy } from './dataset.ts';
import { changedFacets, isKeepable, keptBody, memoOf, memosAfter, stated, type StatedFacet } from './facets.ts';

const translated = new Set(['documentation', 'ownership']);

/** What the events of a batch have said of one job. */
export class JobStatement {
  readonly name: LineageName;
  /** The job that this one is a part of. */
  parent: LineageName | undefined;
  readonly #facets = new Map<string, Facets[string]>();
  /** What the job reads and writes: by a run, or as a job event states it. In the order of arrival. */
  readonly #io: { at: number; runId?: string; inputs: EventDataset[]; outputs: EventDataset[] }[] = [];

  constructor({ namespace, name }: LineageName) {
    this.name = { namespace, name };
  }

  add(
    job: EventJob,
    event: {
      eventTime: string;
      inputs?: EventDataset[] | null | undefined;
      outputs?: EventDataset[] | null | undefined;
    },
    runId?: string,
  ): void {
    for (const [name, body] of Object.entries(job.facets ?? {})) if (isKeepable(name)) this.#facets.set(name, body);
    this.#io.push({
      at: eventMoment(event.eventTime) ?? 0,
      inputs: event.inputs ?? [],
      outputs: event.outputs ?? [],
      ...(runId !== undefined && { runId }),
    });
  }

  changesTo(state: OpenLineageStateDoc | undefined): StatedFacet[] {
    return changedFacets(this.#facets, state?.facets ?? []);
  }

  /** Whether no event of its own is there: another job calls it its parent. */
  get isOnlyMentioned(): boolean {
    return this.#io.length === 0;
  }

  /**
   * The datasets of the job once the events are taken in. While a run is under way what it says is added to what is known; a
   * run that is complete states the whole. What is older than the last whole changes nothing, so order does not matter.
   * @param idOf the id of a dataset's entity
   */
  datasetsAfter(
    state: OpenLineageStateDoc | undefined,
    runs: ReadonlyMap<string, RunFacts>,
    idOf: (dataset: LineageName) => string,
  ): JobDatasets {
    let now: JobDatasets = {
      inputs: new Map(state?.inputs?.map((id) => [id, undefined])),
      outputs: new Map(state?.outputs?.map((id) => [id, undefined])),
      statedAt: state?.stated_at?.getTime() ?? 0,
    };
    const mapOf = (datasets: readonly LineageName[]): Map<string, undefined> =>
      new Map(datasets.map((dataset) => [idOf(dataset), undefined]));
    for (const { at, runId, inputs, outputs } of this.#io) {
      const run = runId === undefined ? undefined : runs.get(runId);
      const summary = run === undefined ? undefined : summaryOf(run);
      const whole = run === undefined ? { inputs, outputs } : summary?.state === 'COMPLETED' ? run : undefined;
      const moment = summary?.endedAt ?? at;
      if (moment < now.statedAt) continue;
      if (whole === undefined) {
        now = {
          ...now,
          inputs: new Map([...now.inputs, ...mapOf(inputs)]),
          outputs: new Map([...now.outputs, ...mapOf(outputs)]),
        };
        // Names that change with every run would add up for ever; then the run at hand is all that is known.
        if (now.inputs.size > datasetsPerJob) now.inputs = mapOf(run?.inputs ?? inputs);
        if (now.outputs.size > datasetsPerJob) now.outputs = mapOf(run?.outputs ?? outputs);
      } else if (whole.inputs.length + whole.outputs.length > 0) {
        // A run that names no dataset at all has nothing to say about lineage.
        now = { inputs: mapOf(whole.inputs), outputs: mapOf(whole.outputs), statedAt: moment };
      }
    }
    return now;
  }
}

const datasetsPerJob = 5_000;

export interface JobDatasets {
  inputs: Map<string, undefined>;
  outputs: Map<string, undefined>;
  /** When they were last stated as a whole, in milliseconds since 1970. */
  statedAt: number;
}

export interface JobChange {
  record: MergeRecord;
  applied: Omit<AppliedState, 'entityId'>;
}

/** What the events come to for the job's entity; undefined when they say what is known. */
export function jobChange(
  statement: JobStatement,
  state: OpenLineageStateDoc | undefined,
  datasets: JobDatasets,
): JobChange | undefined {
  if (statement.isOnlyMentioned) return state === undefined ? mentionedJob(statement.name) : undefined;
  const facets = statement.changesTo(state);
  const inputs = [...datasets.inputs.keys()].sort();
  const outputs = [...datasets.outputs.keys()].sort();
  const moved = !same(inputs, state?.inputs) || !same(outputs, state?.outputs);
  const parentMemo = statement.parent === undefined ? undefined : parentFacet(statement.parent);
  const adopted = parentMemo !== undefined && state?.facets?.includes(memoOf(parentMemo)) !== true;
  const known = state?.facets !== undefined && state.claim === undefined;
  if (known && facets.length === 0 && !moved && !adopted) return undefined;

  const refsOf = (ids: string[]): EntityRef[] => ids.map((id) => ({ metadata_id: id }));
  const { name, parent } = statement;
  return {
    record: {
      op: 'merge',
      entity_type: lineageTypes.job,
      qualified_name: lineageQualifiedName(name),
      attributes: { name: name.name, namespace: name.namespace, ...attributesOf(facets) },
      ...(parent !== undefined && {
        parent: { entity_type: lineageTypes.job, qualified_name: lineageQualifiedName(parent) },
      }),
      upstream: refsOf(inputs),
      downstream: refsOf(outputs),
    },
    applied: {
      facets: memosAfter(state?.facets ?? [], parentMemo === undefined ? facets : [...facets, parentMemo]),
      inputs,
      outputs,
      ...(datasets.statedAt > 0 && { statedAt: new Date(datasets.statedAt) }),
    },
  };
}

/** A job that another one calls its parent comes to be, and says nothing yet of what it reads and writes. */
function mentionedJob(name: LineageName): JobChange {
  return {
    record: {
      op: 'merge',
      entity_type: lineageTypes.job,
      qualified_name: lineageQualifiedName(name),
      attributes: { name: name.name, namespace: name.namespace },
    },
    applied: { facets: [] },
  };
}

/** Whose part a job is, remembered like a facet under a name that none has. */
function parentFacet(parent: LineageName): StatedFacet {
  return stated(' parent', { ...parent });
}

function attributesOf(facets: readonly StatedFacet[]): Record<string, Json> {
  const kept: Record<string, Json> = {};
  for (const { name, body } of facets) if (!translated.has(name)) kept[name] = body === null ? null : keptBody(body);
  return {
    ...(describedBy(new Map(facets.map((facet) => [facet.name, facet]))) as Record<string, Json>),
    ...(Object.keys(kept).length > 0 && { facets: kept }),
  };
}

function same(ids: readonly string[], known: readonly string[] | undefined): boolean {
  return known !== undefined && ids.length === known.length && ids.every((id, index) => id === known[index]);
}
