import { createHash } from 'node:crypto';
import type { IncidentReport, Severity } from '#domain/incidents/incident.ts';
import { limits } from '#domain/limits.ts';
import type { ArtifactMetadata, ArtifactSet } from './artifact.ts';
import { byUniqueId } from './companions.ts';
import { isHook, nodeSections, resourceTypeOf, type ProjectNames } from './names.ts';
import { finishedAt, testedBy, type NodeFacts } from './node-record.ts';
import { nodeSchema, type DbtNode } from './schemas.ts';

/** A state that ends an incident. A warning is none: whoever set the threshold does not want to be woken by it. */
const good: readonly string[] = ['pass', 'success', 'warn'];
const bad: readonly string[] = ['fail', 'error', 'runtime error', 'partial success'];

const longestMessage = 2_000;

/** What became of one node, by `run_results.json` or `sources.json`. */
interface Outcome {
  uniqueId: string;
  status: string;
  message: string | undefined;
  occurredAt: string;
  metadata: ArtifactMetadata;
  details: Record<string, string | number>;
}

/**
 * A report of an incident for each test, model or source that is not as it should be, and of its end for each that is. A node that
 * was skipped says nothing. Reading the same artifacts again gives the same reports, with the same ids.
 */
export async function* findings(artifacts: ArtifactSet, names: ProjectNames): AsyncIterable<IncidentReport> {
  const wrong = new Map<string, Outcome>();
  for await (const outcome of outcomes(artifacts)) {
    if (bad.includes(outcome.status)) wrong.set(outcome.uniqueId, outcome);
    else if (good.includes(outcome.status)) yield resolved(outcome, names);
  }
  if (wrong.size === 0) return;
  const { manifest } = artifacts;
  const entries = manifest.entries({
    section: (name) => (nodeSections.includes(name) ? 'members' : 'skip'),
    member: (_, key) => wrong.has(key),
  });
  for await (const entry of entries) {
    const outcome = wrong.get(entry.key);
    wrong.delete(entry.key);
    if (outcome !== undefined) yield opened(outcome, manifest.parse(entry, nodeSchema), names);
  }
  // The manifest was made after the results, and the node was taken out in between.
  for (const outcome of wrong.values()) yield opened(outcome, undefined, names);
}

async function* outcomes(artifacts: ArtifactSet): AsyncIterable<Outcome> {
  for (const kind of ['run_results', 'sources'] as const) {
    const artifact = artifacts[kind];
    if (artifact === undefined) continue;
    const metadata = await artifact.metadata();
    for await (const { uniqueId, facts } of byUniqueId(artifact, kind)) {
      if (uniqueId !== undefined && !isHook(uniqueId)) yield outcomeOf(uniqueId, facts, metadata);
    }
  }
}

function outcomeOf(uniqueId: string, { run, freshness }: NodeFacts, metadata: ArtifactMetadata): Outcome {
  const at = (run && finishedAt(run)) ?? freshness?.snapshotted_at ?? metadata.generated_at;
  const error = typeof freshness?.error === 'string' ? freshness.error : undefined;
  return {
    uniqueId,
    status: run?.status ?? freshness?.status ?? '',
    message: (run?.message ?? error)?.slice(0, longestMessage),
    occurredAt: timeOf(at),
    metadata,
    details: {
      unique_id: uniqueId,
      status: run?.status ?? freshness?.status ?? '',
      ...(run?.failures != null && { failures: run.failures }),
      ...(freshness?.max_loaded_at && { max_loaded_at: freshness.max_loaded_at }),
      ...(metadata.invocation_id && { invocation_id: metadata.invocation_id }),
    },
  };
}

function opened(outcome: Outcome, node: DbtNode | undefined, names: ProjectNames): IncidentReport {
  const { kind, severity } = judge(outcome);
  const { uniqueId, message } = outcome;
  const about = node === undefined ? [] : [...testedBy(node), ...(testedBy(node).length === 0 ? [uniqueId] : [])];
  return {
    ...common(outcome, names),
    status: 'open',
    kind,
    severity,
    title: titleOf(outcome, node).slice(0, limits.nameLength),
    entities: about.slice(0, limits.incidentEntities).map((id) => names.node(id)),
    details: { ...outcome.details, ...(message && { message }) },
  };
}

function resolved(outcome: Outcome, names: ProjectNames): IncidentReport {
  const { kind } = judge(outcome);
  const title = `${outcome.uniqueId} is well again`.slice(0, limits.nameLength);
  return { ...common(outcome, names), status: 'resolved', kind, title, entities: [], details: outcome.details };
}

function common({ uniqueId, metadata, status, occurredAt }: Outcome, names: ProjectNames) {
  const reportId = [names.root, metadata.invocation_id ?? occurredAt, uniqueId, status].join('\u0000');
  return {
    source: 'dbt',
    key: keyOf(names.node(uniqueId).qualified_name),
    report_id: createHash('sha256').update(reportId).digest('hex'),
    occurred_at: occurredAt,
  };
}

/** A test that could not be run says less about the data than one that ran and found something. */
function judge({ uniqueId, status }: Outcome): { kind: string; severity: Severity } {
  const type = resourceTypeOf(uniqueId);
  if (type === 'source') return { kind: 'freshness', severity: status === 'error' ? 'high' : 'medium' };
  if (type === 'test' || type === 'unit_test') {
    return status === 'error'
      ? { kind: 'failing-test', severity: 'medium' }
      : { kind: 'failing-test', severity: 'high' };
  }
  return { kind: 'failing-build', severity: 'high' };
}

function titleOf({ uniqueId, status, message }: Outcome, node: DbtNode | undefined): string {
  const type = resourceTypeOf(uniqueId).replace('_', ' ');
  const name = node === undefined ? uniqueId : node.source_name ? `${node.source_name}.${node.name}` : node.name;
  if (type === 'source')
    return status === 'error' ? `Source ${name} is stale` : `Freshness of source ${name} is not known`;
  const what = `dbt ${type} ${name} ${status === 'fail' ? 'failed' : 'ended with an error'}`;
  const why = message?.trim().split('\n')[0];
  return why ? `${what}: ${why}` : what;
}

/** A key that is too long for an incident keeps its beginning, and a digest of the whole. */
function keyOf(name: string): string {
  const key = name.replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
  if (Buffer.byteLength(key) <= limits.incidentKeyBytes && key === name) return key;
  const digest = createHash('sha256').update(name).digest('hex');
  const room = limits.incidentKeyBytes - digest.length - 1;
  return `${Buffer.from(key)
    .subarray(0, room)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}#${digest}`;
}

function timeOf(text: string | null | undefined): string {
  const time = new Date(text ?? Number.NaN);
  return (Number.isNaN(time.getTime()) ? new Date() : time).toISOString();
}
