import { randomUUID } from 'node:crypto';

/**
 * A warehouse as OpenLineage tells of it: a tenth of the datasets are sources, and each other one is written by a job of its
 * own, which reads two datasets of those before it. Every event has about 12 KB: schemas, and lineage of each column.
 */
export interface LineageShape {
  datasets: number;
  namespace: string;
  /** Without the lineage of columns. */
  lean?: boolean;
}

const columns = 18;
const producer = 'https://github.com/OpenLineage/OpenLineage/tree/1.54.0/client/python';
const facetUrl = (name: string): string => `https://openlineage.io/spec/facets/1-2-0/${name}.json#/$defs/${name}`;

export function sourcesOf({ datasets }: LineageShape): number {
  return Math.max(2, Math.floor(datasets / 10));
}

/** The two datasets that a job reads: one of the layer before, and one from anywhere before it. */
export function readsOf(shape: LineageShape, dataset: number): [number, number] {
  const layer = sourcesOf(shape);
  const near = dataset - layer;
  // The upper bits of a multiplicative hash: the same graph in every run, and without a pattern.
  const far = Math.imul(dataset, 2_654_435_761) >>> 10;
  return [near, far % Math.max(1, dataset - (dataset % layer) || layer)];
}

export function datasetName(index: number): string {
  return `warehouse.layer.dataset_${String(index).padStart(6, '0')}`;
}

export function jobName(index: number): string {
  return `build.dataset_${String(index).padStart(6, '0')}`;
}

function schema(index: number): object {
  return {
    _producer: producer,
    _schemaURL: facetUrl('SchemaDatasetFacet'),
    fields: Array.from({ length: columns }, (_, column) => ({
      name: `column_${column}`,
      type: column % 3 === 0 ? 'BIGINT' : 'VARCHAR(255)',
      description: `Column ${column} of dataset ${index}, as its owners describe it`,
    })),
  };
}

function columnLineage(namespace: string, [left, right]: [number, number]): object {
  const input = (index: number, column: number): object => ({
    namespace,
    name: datasetName(index),
    field: `column_${column}`,
    transformations: [{ type: 'DIRECT', subtype: 'TRANSFORMATION', description: '', masking: false }],
  });
  return {
    _producer: producer,
    _schemaURL: facetUrl('ColumnLineageDatasetFacet'),
    fields: Object.fromEntries(
      Array.from({ length: columns }, (_, column) => [
        `column_${column}`,
        { inputFields: column % 3 === 0 ? [input(left, column), input(right, column)] : [input(left, column)] },
      ]),
    ),
  };
}

/** The parts of an event of a job that stay the same, run after run. */
export class EventTemplate {
  readonly #head: string;
  readonly #tail: string;

  constructor(shape: LineageShape, dataset: number) {
    const { namespace } = shape;
    const reads = readsOf(shape, dataset);
    const rest = {
      job: { namespace, name: jobName(dataset) },
      inputs: [...new Set(reads)].map((index) => ({
        namespace,
        name: datasetName(index),
        facets: { schema: schema(index) },
      })),
      outputs: [
        {
          namespace,
          name: datasetName(dataset),
          facets: {
            schema: schema(dataset),
            ...(shape.lean !== true && { columnLineage: columnLineage(namespace, reads) }),
          },
        },
      ],
      producer,
      schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
    };
    this.#head = '{"eventType":"COMPLETE","eventTime":"';
    this.#tail = `","run":{"runId":"%"},${JSON.stringify(rest).slice(1)}`;
  }

  /** An event of a run of its own. */
  next(): string {
    return this.#head + new Date().toISOString() + this.#tail.replace('%', randomUUID());
  }
}
