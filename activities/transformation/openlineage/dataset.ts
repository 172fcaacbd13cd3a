import type { Json } from '#domain/assets/entity.ts';
import type { MergeRecord } from '#domain/assets/record.ts';
import { limits } from '#domain/limits.ts';
import type { EventDataset, Facets } from '#domain/openlineage/event.ts';
import { lineageQualifiedName, lineageTypes, type LineageName } from '#domain/openlineage/names.ts';
import type { AppliedState, OpenLineageStateDoc } from '#platform/mongo/openlineage-state.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import { Assertions } from './assertions.ts';
import { columnRecord, fieldLineages, listOf, objectOf, schemaFields, textOf } from './columns.ts';
import { changedFacets, isKeepable, keptBody, keptList, memosAfter, type StatedFacet } from './facets.ts';

/** Facets that tell of a moment and not of what the dataset is: they are kept beside the entity, without a version. */
const momentary = new Set([
  'dataQualityMetrics',
  'dataQualityAssertions',
  'inputStatistics',
  'outputStatistics',
  'outputSubset',
  'inputSubset',
  'lifecycleStateChange',
  'version',
]);

/** Facets that become something else than a facet of the entity. */
const translated = new Set(['schema', 'columnLineage', 'documentation', 'ownership']);

/** What the events of a batch have said of one dataset: of each facet the last. */
export class DatasetStatement {
  readonly name: LineageName;
  readonly assertions = new Assertions();
  readonly #facets = new Map<string, Facets[string]>();

  constructor({ namespace, name }: LineageName) {
    this.name = { namespace, name };
  }

  add(dataset: EventDataset, origin: RawRecordDoc): void {
    this.assertions.add(dataset, origin);
    const { facets, inputFacets, outputFacets } = dataset;
    for (const group of [facets, inputFacets, outputFacets]) {
      for (const [name, body] of Object.entries(group ?? {})) if (isKeepable(name)) this.#facets.set(name, body);
    }
  }

  /** Of the facets that were said, those that differ from what has been applied. */
  changesTo(state: OpenLineageStateDoc | undefined): StatedFacet[] {
    return changedFacets(this.#facets, state?.facets ?? []);
  }
}

export interface DatasetChange {
  /** Columns first: whoever sees the dataset's new fields finds them. */
  records: MergeRecord[];
  /** Columns that are no more. */
  dropped: string[];
  /** Columns that there are now, as far as the change says. */
  columns: string[];
  applied: Omit<AppliedState, 'entityId'>;
}

/** What changed facets of a dataset come to: records of its columns and of itself. */
export function datasetChange(
  dataset: LineageName,
  facets: readonly StatedFacet[],
  state: OpenLineageStateDoc | undefined,
): DatasetChange {
  const byName = new Map(facets.map((facet) => [facet.name, facet]));
  const before = state?.columns ?? [];
  const schema = byName.get('schema');
  const lineage = byName.get('columnLineage');
  const metrics = objectOf(byName.get('dataQualityMetrics')?.body?.['columnMetrics']);
  const fields = schema === undefined ? undefined : schemaFields(schema.body);
  const fieldOf = new Map(fields?.map((field) => [field.path, field]));
  const lineages = lineage === undefined ? undefined : fieldLineages(lineage.body);

  // A schema says which columns there are; without one, what was known of them holds, and what lineage tells of.
  const present = keptPaths([...(fields === undefined ? before : fieldOf.keys()), ...(lineages?.keys() ?? [])]);
  const touched = [...present].filter(
    (path) => fieldOf.has(path) || lineages !== undefined || Object.hasOwn(metrics, path),
  );
  const noLineage = { upstream: [], attributes: {} };
  const records = touched.map((path) =>
    columnRecord(dataset, path, {
      field: fieldOf.get(path),
      lineage: lineages === undefined ? undefined : (lineages.get(path) ?? noLineage),
      metrics: Object.hasOwn(metrics, path) ? keptBody(objectOf(metrics[path])) : undefined,
    }),
  );
  const columns = [...present];
  return {
    records: [...records.filter(isNameable), datasetRecord(dataset, byName, fields)],
    dropped: fields === undefined ? [] : before.filter((path) => !present.has(path)),
    columns,
    applied: { facets: memosAfter(state?.facets ?? [], facets), columns },
  };
}

/** The columns that a dataset may have, the first ones: lineage can tell of new ones with every event. */
function keptPaths(paths: readonly string[]): Set<string> {
  const kept = new Set<string>();
  let bytes = 0;
  for (const path of paths) {
    if (kept.has(path)) continue;
    bytes += Buffer.byteLength(path);
    if (kept.size >= limits.columnsPerDataset || bytes > limits.datasetFieldBytes) break;
    kept.add(path);
  }
  return kept;
}

function isNameable({ qualified_name }: MergeRecord): boolean {
  return qualified_name.length <= limits.qualifiedNameLength;
}

function datasetRecord(
  dataset: LineageName,
  facets: ReadonlyMap<string, StatedFacet>,
  fields: ReturnType<typeof schemaFields> | undefined,
): MergeRecord {
  const kept: Record<string, Json> = {};
  const statistics: Record<string, Json> = {};
  for (const { name, body } of facets.values()) {
    if (translated.has(name)) continue;
    if (momentary.has(name)) statistics[name] = body === null ? null : keptBody(body);
    else kept[name] = body === null ? null : keptBody(body);
  }
  // Lineage of the dataset as a whole stands beside that of its fields, in the same facet.
  const lineage = facets.get('columnLineage');
  const indirect = keptList(listOf(lineage?.body?.['dataset']));
  return {
    op: 'merge',
    entity_type: lineageTypes.dataset,
    qualified_name: lineageQualifiedName(dataset),
    attributes: {
      name: dataset.name,
      namespace: dataset.namespace,
      ...describedBy(facets),
      ...(facets.has('schema') && {
        fields: fields === undefined || fields.length === 0 ? null : fieldsAttribute(fields),
      }),
      ...(lineage !== undefined && { indirect_lineage: indirect.length > 0 ? indirect : null }),
      ...(Object.keys(kept).length > 0 && { facets: kept }),
    },
    ...(Object.keys(statistics).length > 0 && { statistics }),
  };
}

function fieldsAttribute(fields: ReturnType<typeof schemaFields>): Json {
  return fields.map(({ path, type, description }) => ({
    name: path,
    ...(type !== undefined && { type }),
    ...(description !== undefined && { description }),
  }));
}

/** Documentation and ownership, which datasets and jobs have alike. */
export function describedBy(facets: ReadonlyMap<string, StatedFacet>): {
  description?: string | null;
  owners?: Json;
} {
  const documentation = facets.get('documentation');
  const ownership = facets.get('ownership');
  const owners = listOf(ownership?.body?.['owners']).flatMap(({ name, type }): Json[] => {
    const owner = textOf(name, limits.nameLength);
    const role = textOf(type, limits.nameLength);
    return owner === undefined ? [] : [{ name: owner, ...(role !== undefined && { type: role }) }];
  });
  return {
    ...(documentation !== undefined && {
      description: textOf(documentation.body?.['description'], limits.descriptionLength) ?? null,
    }),
    ...(ownership !== undefined && { owners: owners.length > 0 ? owners.slice(0, limits.tagsPerEntity) : null }),
  };
}
