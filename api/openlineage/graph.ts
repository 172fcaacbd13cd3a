import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { lineageQualifiedName, lineageTypes, nodeIdOf, parseNodeId } from '#domain/openlineage/names.ts';
import { metadataId } from '#platform/digest.ts';
import type { LineageNodeDoc, LineageNodes, NodeBudget } from '#platform/mongo/lineage-nodes.ts';
import { InvalidInput } from '../http/invalid-input.ts';
import { latestRunView } from './views.ts';

type NodeReader = Pick<LineageNodes, 'byIds' | 'jobsOf'>;

/** What a walk has found. */
interface Found {
  jobs: Map<string, LineageNodeDoc>;
  datasets: Map<string, LineageNodeDoc>;
  /** Whether there was more than one answer may hold. */
  truncated: boolean;
}

/**
 * The lineage graph around a node, as JSON text in the form of Marquez: the jobs that are at most `depth` steps away, from job
 * to job by a dataset that both read or write, and all of their datasets. For a dataset the steps count from its own jobs.
 * It holds as much as one answer may, and says whether there was more.
 * @param signal aborted once nobody waits for the answer
 * @throws LilyError `not-found` when there is no such dataset or job
 */
export async function lineageGraph(
  nodes: NodeReader,
  tenantId: string,
  nodeId: string,
  depth: number,
  signal: AbortSignal,
): Promise<{ json: string; truncated: boolean }> {
  const start = await findNode(nodes, tenantId, nodeId);
  const found = await walk(nodes, tenantId, start, depth, signal);
  const { json, complete } = graphJson(found);
  return { json, truncated: found.truncated || !complete };
}

/** The node that an id names. Namespaces hold colons, so each way to read it is looked for. */
export async function findNode(
  nodes: Pick<NodeReader, 'byIds'>,
  tenantId: string,
  nodeId: string,
): Promise<LineageNodeDoc> {
  const reference = parseNodeId(nodeId);
  if (reference === undefined) {
    const detail = 'must have the form dataset:<namespace>:<name> or job:<namespace>:<name>';
    throw new InvalidInput(`nodeId ${detail}`, [{ field: 'nodeId', detail }]);
  }
  const type = lineageTypes[reference.kind];
  const ids = reference.names.map((name) => metadataId(tenantId, type, lineageQualifiedName(name)));
  const [node] = await nodes.byIds(tenantId, ids);
  if (node === undefined) throw new LilyError('not-found', `There is no node ${nodeId.slice(0, 200)}`);
  return node;
}

async function walk(
  nodes: NodeReader,
  tenantId: string,
  start: LineageNodeDoc,
  depth: number,
  signal: AbortSignal,
): Promise<Found> {
  const budget: NodeBudget = {
    nodes: limits.lineageGraphNodes,
    chars: limits.lineageGraphBytes,
    exhausted: false,
    signal,
  };
  const jobs = new Map<string, LineageNodeDoc>();
  const datasetIds = new Set<string>(start.kind === 'dataset' ? [start._id] : []);
  let truncated = false;

  /** Takes jobs in and gives the datasets that were not known before. */
  const take = (some: LineageNodeDoc[]): string[] => {
    const added: string[] = [];
    for (const job of some) {
      if (jobs.has(job._id)) continue;
      if (jobs.size + datasetIds.size >= limits.lineageGraphNodes) {
        truncated = true;
        return added;
      }
      jobs.set(job._id, job);
      for (const id of [...(job.inputs ?? []), ...(job.outputs ?? [])]) {
        if (datasetIds.has(id)) continue;
        datasetIds.add(id);
        added.push(id);
      }
    }
    return added;
  };

  let frontier = take(start.kind === 'job' ? [start] : await nodes.jobsOf(tenantId, [start._id], jobs, budget));
  // The jobs of the dataset itself have been taken: what they share with others by it is known.
  for (let step = 0; step < depth && frontier.length > 0 && !truncated && !budget.exhausted; step++) {
    frontier = take(await nodes.jobsOf(tenantId, frontier, jobs, budget));
  }
  // What the jobs have left is for the datasets; an answer without any of them would be of no use.
  budget.chars = Math.max(budget.chars, limits.lineageGraphBytes / 4);
  const cut = truncated || budget.exhausted;
  budget.nodes = datasetIds.size;
  budget.exhausted = false;
  const datasets = await nodes.byIds(tenantId, [...datasetIds], budget);
  return {
    jobs,
    datasets: new Map(datasets.map((dataset) => [dataset._id, dataset])),
    truncated: cut || budget.exhausted,
  };
}

interface Edges {
  in: string[];
  out: string[];
}

/** Puts the text together from the nodes' own texts: nothing of them is parsed. */
function graphJson({ jobs, datasets }: Found): { json: string; complete: boolean } {
  const idOf = new Map([...datasets.values()].map((node) => [node._id, JSON.stringify(nodeIdOf('dataset', node))]));
  const nameOf = new Map(
    [...datasets.values()].map(({ _id, namespace, name }) => [_id, JSON.stringify({ namespace, name })]),
  );
  const edgesOf = new Map([...datasets.keys()].map((id): [string, Edges] => [id, { in: [], out: [] }]));
  const parts: { id: string; text: string }[] = [];
  let chars = 0;
  const add = (id: string, text: string): void => {
    chars += text.length;
    if (chars <= limits.lineageGraphBytes) parts.push({ id, text });
  };

  for (const job of jobs.values()) {
    // Edges repeat the names at both of their ends: they may be far longer than the nodes.
    if (chars > limits.lineageGraphBytes) break;
    const id = nodeIdOf('job', job);
    const self = JSON.stringify(id);
    const known = (ids: string[] | undefined): string[] => (ids ?? []).filter((one) => idOf.has(one));
    const [inputs, outputs] = [known(job.inputs), known(job.outputs)];
    const inEdges = inputs.map((one) => edge(idOf.get(one), self));
    const outEdges = outputs.map((one) => edge(self, idOf.get(one)));
    inputs.forEach((one, index) => edgesOf.get(one)?.out.push(inEdges[index] ?? ''));
    outputs.forEach((one, index) => edgesOf.get(one)?.in.push(outEdges[index] ?? ''));
    const names = (ids: string[]): string => ids.map((one) => nameOf.get(one)).join(',');
    const latestRun = JSON.stringify(job.latest_run === undefined ? null : latestRunView(job.latest_run));
    const data = `${job.data.slice(0, -1)},"inputs":[${names(inputs)}],"outputs":[${names(outputs)}],"latestRun":${latestRun}}`;
    add(id, nodeJson('JOB', self, data, inEdges, outEdges));
  }
  for (const dataset of datasets.values()) {
    const edges = edgesOf.get(dataset._id) ?? { in: [], out: [] };
    const self = idOf.get(dataset._id) ?? '';
    if (chars > limits.lineageGraphBytes) break;
    add(nodeIdOf('dataset', dataset), nodeJson('DATASET', self, dataset.data, edges.in, edges.out));
  }
  parts.sort((a, b) => (a.id < b.id ? -1 : 1));
  const json = `{"graph":[${parts.map(({ text }) => text).join(',')}]}`;
  return { json, complete: chars <= limits.lineageGraphBytes };
}

function edge(origin: string | undefined, destination: string | undefined): string {
  return `{"origin":${origin ?? ''},"destination":${destination ?? ''}}`;
}

function nodeJson(type: 'JOB' | 'DATASET', id: string, data: string, inEdges: string[], outEdges: string[]): string {
  return `{"id":${id},"type":"${type}","data":${data},"inEdges":[${inEdges.join(',')}],"outEdges":[${outEdges.join(',')}]}`;
}
