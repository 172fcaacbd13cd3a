import type { EntityVersion, Json } from '#domain/assets/entity.ts';
import { lineageNameOf, lineageTypes, type LineageName } from '#domain/openlineage/names.ts';
import type { NewLineageNode } from '#platform/mongo/lineage-nodes.ts';
import { listOf, objectOf } from './columns.ts';

/**
 * A version as the lineage graph shows it, in the words of Marquez; undefined for what is neither a dataset nor a job.
 * Whatever door the version came through: the graph shows what is true of the entity.
 */
export function nodeView(version: EntityVersion): NewLineageNode | undefined {
  const kind = version.entity_type;
  if (kind !== lineageTypes.dataset && kind !== lineageTypes.job) return undefined;
  const name = lineageNameOf(version.qualified_name);
  if (name === undefined) return undefined;
  const data = kind === lineageTypes.dataset ? datasetData(version, name) : jobData(version, name);
  return {
    _id: version.entity_id,
    tenant_id: version.tenant_id,
    kind,
    namespace: name.namespace,
    name: name.name,
    version: version.version,
    deleted: version.change === 'deleted',
    data: JSON.stringify(data),
    ...(kind === lineageTypes.job && {
      inputs: version.upstream.map((ref) => ref.metadata_id),
      outputs: (version.downstream ?? []).map((ref) => ref.metadata_id),
    }),
  };
}

function commonData(version: EntityVersion, { namespace, name }: LineageName) {
  const { attributes } = version;
  return {
    id: { namespace, name },
    name,
    namespace,
    createdAt: version.created_at.toISOString(),
    updatedAt: version.valid_from.toISOString(),
    description: attributes.description ?? null,
    tags: (attributes.tags ?? []).map((tag) => ({ name: tag })),
    owners: attributes['owners'] ?? [],
  };
}

function datasetData(version: EntityVersion, name: LineageName) {
  const facets = objectOf(version.attributes['facets']);
  const source = objectOf(facets['dataSource'])['name'];
  return {
    ...commonData(version, name),
    type: 'DB_TABLE',
    physicalName: name.name,
    sourceName: typeof source === 'string' ? source : name.namespace,
    fields: listOf(version.attributes['fields']).map((field) => ({
      name: field['name'] as Json,
      type: (field['type'] as Json | undefined) ?? null,
      tags: [],
      description: (field['description'] as Json | undefined) ?? null,
    })),
    lastModifiedAt: version.valid_from.toISOString(),
    lastLifecycleState: null,
    deleted: false,
  };
}

function jobData(version: EntityVersion, name: LineageName) {
  const facets = objectOf(version.attributes['facets']);
  const location = objectOf(facets['sourceCodeLocation'])['url'];
  const processing = objectOf(facets['jobType'])['processingType'];
  const parent =
    version.parent?.qualified_name === undefined ? undefined : lineageNameOf(version.parent.qualified_name);
  return {
    ...commonData(version, name),
    type: processing === 'STREAMING' ? 'STREAM' : 'BATCH',
    simpleName:
      parent !== undefined && name.name.startsWith(`${parent.name}.`)
        ? name.name.slice(parent.name.length + 1)
        : name.name,
    parentJobName: parent?.name ?? null,
    parentJobUuid: version.parent?.metadata_id ?? null,
    location: typeof location === 'string' ? location : null,
  };
}
