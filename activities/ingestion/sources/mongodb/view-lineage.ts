/** A collection or view that a view reads. */
export interface ViewSource {
  /** Another database; without it the view's own. */
  database?: string;
  collection: string;
}

type Document = Record<string, unknown>;

const deepestPipeline = 50;

/** What a view is made from: what it is on, and what the stages of its pipeline, and of the pipelines in them, bring in. */
export function viewSources(viewOn: unknown, pipeline: unknown): ViewSource[] {
  const found = new Map<string, ViewSource>();
  const keep = (source: ViewSource): void => void found.set(JSON.stringify(source), source);
  if (typeof viewOn === 'string') keep({ collection: viewOn });
  const pipelines: { stages: unknown; depth: number }[] = [{ stages: pipeline, depth: 0 }];
  for (let next = pipelines.pop(); next !== undefined; next = pipelines.pop()) {
    const { stages, depth } = next;
    if (!Array.isArray(stages) || depth > deepestPipeline) continue;
    for (const stage of stages as Document[]) {
      const { from, inner } = readStage(stage);
      if (from !== undefined) keep(from);
      for (const one of inner) pipelines.push({ stages: one, depth: depth + 1 });
    }
  }
  return [...found.values()];
}

function readStage(stage: Document): { from: ViewSource | undefined; inner: unknown[] } {
  for (const name of ['$lookup', '$graphLookup'] as const) {
    const lookup = stage[name];
    if (isDocument(lookup)) return { from: sourceOf(lookup['from']), inner: [lookup['pipeline']] };
  }
  const union = stage['$unionWith'];
  if (typeof union === 'string') return { from: { collection: union }, inner: [] };
  if (isDocument(union)) return { from: sourceOf(union['coll']), inner: [union['pipeline']] };
  const facet = stage['$facet'];
  return { from: undefined, inner: isDocument(facet) ? Object.values(facet) : [] };
}

function sourceOf(from: unknown): ViewSource | undefined {
  if (typeof from === 'string') return { collection: from };
  if (!isDocument(from) || typeof from['coll'] !== 'string') return undefined;
  return typeof from['db'] === 'string'
    ? { database: from['db'], collection: from['coll'] }
    : { collection: from['coll'] };
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
