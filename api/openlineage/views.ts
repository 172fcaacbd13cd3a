import type { LatestRun, LineageNodeDoc } from '#platform/mongo/lineage-nodes.ts';
import type { LineageRunDoc } from '#platform/mongo/lineage-runs.ts';
import type { LineageRunView } from './schemas.ts';

/** The newest run of a job, as Marquez shows it in the graph. */
export function latestRunView(run: LatestRun) {
  return {
    id: run.run_id,
    createdAt: run.started_at.toISOString(),
    updatedAt: (run.ended_at ?? run.started_at).toISOString(),
    nominalStartTime: null,
    nominalEndTime: null,
    state: run.state,
    startedAt: run.started_at.toISOString(),
    endedAt: run.ended_at?.toISOString() ?? null,
    durationMs: run.duration_ms ?? null,
    args: {},
    facets: {},
  };
}

/** A run in the words of Marquez. */
export function marquezRun({ run_id: id, summary, facts, created_at, updated_at }: LineageRunDoc) {
  return {
    id,
    createdAt: created_at.toISOString(),
    updatedAt: updated_at.toISOString(),
    nominalStartTime: summary.nominalStartTime ?? null,
    nominalEndTime: summary.nominalEndTime ?? null,
    state: summary.state,
    startedAt: isoOf(summary.startedAt),
    endedAt: summary.endedAt === undefined ? null : isoOf(summary.endedAt),
    durationMs: summary.durationMs ?? null,
    args: {},
    jobVersion: null,
    inputVersions: facts.inputs.map((dataset) => ({ ...dataset, version: null })),
    outputVersions: facts.outputs.map((dataset) => ({ ...dataset, version: null })),
    facets: Object.fromEntries(Object.entries(facts.facets).map(([name, { body }]) => [name, body])),
  };
}

/** A run as `/v1/lineage-runs` shows it. */
export function lineageRunView({ run_id, job_id, summary, facts, updated_at }: LineageRunDoc): LineageRunView {
  const { parent, error } = summary;
  return {
    run_id,
    job: { ...facts.job, metadata_id: job_id },
    state: summary.state,
    started_at: isoOf(summary.startedAt),
    ended_at: summary.endedAt === undefined ? null : isoOf(summary.endedAt),
    duration_ms: summary.durationMs ?? null,
    nominal_start_time: summary.nominalStartTime ?? null,
    nominal_end_time: summary.nominalEndTime ?? null,
    parent: parent === undefined ? null : { run_id: parent.runId, job: parent.job },
    error:
      error === undefined
        ? null
        : {
            message: error.message,
            programming_language: error.programmingLanguage ?? null,
            stack_trace: error.stackTrace ?? null,
          },
    inputs: facts.inputs,
    outputs: facts.outputs,
    facets: Object.fromEntries(Object.entries(facts.facets).map(([name, { body }]) => [name, body])),
    producer: facts.producer,
    updated_at: updated_at.toISOString(),
  };
}

/** A dataset or a job in the words of Marquez. */
export function nodeData(node: LineageNodeDoc, names: ReadonlyMap<string, { namespace: string; name: string }>) {
  const data = JSON.parse(node.data) as Record<string, unknown>;
  if (node.kind === 'dataset') return data;
  const named = (ids: string[] | undefined) => (ids ?? []).flatMap((id) => names.get(id) ?? []);
  return {
    ...data,
    inputs: named(node.inputs),
    outputs: named(node.outputs),
    latestRun: node.latest_run === undefined ? null : latestRunView(node.latest_run),
  };
}

function isoOf(moment: number): string {
  return new Date(moment).toISOString();
}
