import { topics } from '#domain/topics.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { datasetName, EventTemplate, sourcesOf, type LineageShape } from '../harness/lineage-events.ts';
import { repeated } from '../harness/stats.ts';
import { sendAll } from './lineage-events.ts';

const depths = [1, 2, 5, 20] as const;

/** What Marquez 0.51.1 took on the same kind of machine, p50 in milliseconds; it gave no answer where there is none. */
const marquez: Readonly<Record<number, Partial<Record<(typeof depths)[number], number>>>> = {
  1_000: { 1: 57, 2: 180, 5: 1_700, 20: 6_100 },
  10_000: { 1: 760, 2: 840, 5: 24_000 },
};

/**
 * `GET /api/v1/lineage` on warehouses of 1,000 and 10,000 datasets: each job reads two datasets, one of them from anywhere, so
 * that a few steps reach most of the graph, and each dataset is sent with its 18 fields.
 */
export async function lineageGraphReads(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const datasets of bench.quick ? [1_000] : [1_000, 10_000]) {
    const shape: LineageShape = { datasets, namespace: 'bench', lean: true };
    const tenantId = `bench-j-${datasets}`;
    const token = await bench.token(tenantId);
    await fill(bench, token, shape);
    for (const depth of depths) figures.push(await readAt(bench, token, shape, depth));
  }
  return figures;
}

/** Makes the graph through the front door. The lineage of columns is left out: no answer shows it. */
async function fill(bench: Bench, token: string, shape: LineageShape): Promise<void> {
  const before = await bench.endOf(topics.changes);
  const first = sourcesOf(shape);
  const events = Array.from({ length: shape.datasets - first }, (_, index) =>
    new EventTemplate(shape, first + index).next(),
  );
  await sendAll(bench, token, events);
  // Datasets, their columns, and the jobs.
  const entities = shape.datasets * 19 + events.length;
  const deadline = Date.now() + 600_000;
  for (let made = 0; made < entities; await new Promise((resolve) => setTimeout(resolve, 200))) {
    made = (await bench.endOf(topics.changes)) - before;
    if (Date.now() > deadline) throw new Error(`${made} of ${entities} entities came to be`);
  }
}

async function readAt(
  bench: Bench,
  token: string,
  shape: LineageShape,
  depth: (typeof depths)[number],
): Promise<Figure> {
  const nodeId = `dataset:${shape.namespace}:${datasetName(Math.floor(shape.datasets / 2))}`;
  const path = `/api/v1/lineage?nodeId=${encodeURIComponent(nodeId)}&depth=${depth}`;
  let answer = '';
  const read = async (): Promise<void> => {
    // Not the bare connection of the other scenarios, which is made for small answers.
    const response = await fetch(bench.stack.addresses.api + path, { headers: { Authorization: `Bearer ${token}` } });
    answer = await response.text();
    if (response.status !== 200) throw new Error(`lineage got ${response.status}: ${answer.slice(0, 300)}`);
  };
  await repeated(3, 0, read);
  const meter = await bench.meter();
  const latency = await repeated(bench.quick ? 5 : 15, 20, read);
  const shares = meter.shares();
  const { graph } = JSON.parse(answer) as { graph: { type: string }[] };
  const found = graph.filter(({ type }) => type === 'DATASET').length;
  const peer = marquez[shape.datasets]?.[depth];
  return {
    scenario: 'j',
    name: `lineage graph of depth ${depth} in ${numberText(shape.datasets)} datasets, p50`,
    value: latency.p50,
    unit: 'ms',
    ...(depth === 5 && shape.datasets === 10_000 && { aim: 500 }),
    ceilings: peer === undefined ? [] : [{ what: 'Marquez on a machine of this kind', value: peer }],
    limit: sharesText(shares),
    note: `${numberText(found)} datasets and ${numberText(graph.length - found)} jobs, ${numberText(answer.length / 1e6)} MB; p99 ${numberText(latency.p99)} ms`,
  };
}
