import type { EntityRef, Json } from '#domain/assets/entity.ts';
import type { MergeRecord } from '#domain/assets/record.ts';
import { limits } from '#domain/limits.ts';
import {
  columnQualifiedName,
  lineageQualifiedName,
  lineageTypes,
  type LineageName,
} from '#domain/openlineage/names.ts';
import { isKeepable, keptList } from './facets.ts';

/** A field of a schema, nested ones by their path. */
export interface SchemaField {
  path: string;
  type?: string;
  description?: string;
  ordinal?: number;
}

/** What a column is made from. */
interface FieldLineage {
  upstream: EntityRef[];
  attributes: Record<string, Json>;
}

type Loose = Record<string, unknown>;

/** The fields of a schema facet, nested ones behind the field that holds them. */
export function schemaFields(facet: Loose | null | undefined): SchemaField[] {
  const fields: SchemaField[] = [];
  const seen = new Set<string>();
  let bytes = 0;
  // Without recursion: how deep fields may be nested is the producer's affair.
  const stack = listOf(facet?.['fields'])
    .map((field, index) => ({ field, prefix: '', index }))
    .toReversed();
  for (let item = stack.pop(); item !== undefined && fields.length < limits.columnsPerDataset; item = stack.pop()) {
    const name = textOf(item.field['name'], limits.nameLength);
    if (name === undefined) continue;
    const path = item.prefix + name;
    if (seen.has(path) || path.length > limits.nameLength) continue;
    seen.add(path);
    const type = textOf(item.field['type'], limits.nameLength);
    const description = textOf(item.field['description'], limits.descriptionLength);
    const ordinal = item.field['ordinal_position'];
    const field: SchemaField = {
      path,
      ...(type !== undefined && { type }),
      ...(description !== undefined && { description }),
      ordinal: typeof ordinal === 'number' ? ordinal : item.index + 1,
    };
    // The names of nested fields repeat those around them: together they may be far longer than the event.
    bytes += Buffer.byteLength(JSON.stringify(field));
    if (bytes > limits.datasetFieldBytes) break;
    fields.push(field);
    const inner = listOf(item.field['fields']).map((field, index) => ({ field, prefix: `${path}.`, index }));
    stack.push(...inner.toReversed());
  }
  return fields;
}

/** What a column lineage facet says of each field. */
export function fieldLineages(facet: Loose | null | undefined): Map<string, FieldLineage> {
  const lineages = new Map<string, FieldLineage>();
  for (const [field, said] of Object.entries(objectOf(facet?.['fields']))) {
    if (!isKeepable(field) || field === '' || lineages.size >= limits.columnsPerDataset) continue;
    const about = objectOf(said);
    const inputs = listOf(about['inputFields'])
      .map((input) => ({ input, ref: columnRef(input) }))
      .filter((one): one is { input: Loose; ref: EntityRef } => one.ref !== undefined)
      .slice(0, limits.edgesPerEntity);
    const description = textOf(about['transformationDescription'], limits.descriptionLength);
    const type = textOf(about['transformationType'], limits.nameLength);
    const transformed = inputs
      .filter(({ input }) => listOf(input['transformations']).length > 0)
      .map(({ input }) => ({
        namespace: input['namespace'] as string,
        name: input['name'] as string,
        field: input['field'] as string,
        transformations: listOf(input['transformations']),
      }));
    lineages.set(field, {
      upstream: inputs.map(({ ref }) => ref),
      attributes: {
        transformations: transformed.length > 0 ? keptList(transformed) : null,
        transformation_description: description ?? null,
        transformation_type: type ?? null,
      },
    });
  }
  return lineages;
}

/** The column that an input field of a column lineage names; undefined when it names none. */
function columnRef(input: Loose): EntityRef | undefined {
  const namespace = textOf(input['namespace'], limits.lineageNamespaceLength);
  const name = textOf(input['name'], limits.nameLength);
  const field = textOf(input['field'], limits.nameLength);
  if (namespace === undefined || name === undefined || field === undefined) return undefined;
  const qualifiedName = columnQualifiedName({ namespace, name }, field);
  if (qualifiedName.length > limits.qualifiedNameLength) return undefined;
  return { entity_type: lineageTypes.column, qualified_name: qualifiedName };
}

/** The record of a column. What is undefined is not stated, so it stays as it is. */
export function columnRecord(
  dataset: LineageName,
  path: string,
  said: { field?: SchemaField | undefined; lineage?: FieldLineage | undefined; metrics?: Json | undefined },
): MergeRecord {
  const { field, lineage, metrics } = said;
  return {
    op: 'merge',
    entity_type: lineageTypes.column,
    qualified_name: columnQualifiedName(dataset, path),
    attributes: {
      name: path,
      ...(field !== undefined && {
        data_type: field.type ?? null,
        description: field.description ?? null,
        ordinal_position: field.ordinal ?? null,
      }),
      ...lineage?.attributes,
    },
    parent: { entity_type: lineageTypes.dataset, qualified_name: lineageQualifiedName(dataset) },
    ...(lineage !== undefined && { upstream: lineage.upstream }),
    ...(metrics !== undefined && { statistics: { dataQualityMetrics: metrics } }),
  };
}

export function objectOf(value: unknown): Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : {};
}

export function listOf(value: unknown): Loose[] {
  return Array.isArray(value)
    ? value.filter((item): item is Loose => typeof item === 'object' && item !== null && !Array.isArray(item))
    : [];
}

/** A text that can be kept, shortened where it is too long; undefined for anything else. */
export function textOf(value: unknown, maxLength: number): string | undefined {
  return typeof value === 'string' && value !== '' && !value.includes('\u0000') ? value.slice(0, maxLength) : undefined;
}
