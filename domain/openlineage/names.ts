/** What OpenLineage calls a dataset or a job: unique among the datasets, or the jobs, of a tenant. */
export interface LineageName {
  namespace: string;
  name: string;
}

/** Entity types of what OpenLineage speaks of. */
export const lineageTypes = { dataset: 'dataset', column: 'column', job: 'job' } as const;

export type LineageKind = 'dataset' | 'job';

/** Between the parts of a qualified name. */
const separator = '|';

function escaped(part: string): string {
  return part.replaceAll('%', '%25').replaceAll(separator, '%7C');
}

function unescaped(part: string): string {
  return part.replaceAll('%7C', separator).replaceAll('%25', '%');
}

/** The qualified name of a dataset's or a job's entity. {@link lineageNameOf} undoes it. */
export function lineageQualifiedName({ namespace, name }: LineageName): string {
  return `${escaped(namespace)}${separator}${escaped(name)}`;
}

/** The qualified name of a column; `field` is the path of a nested one, as `address.city`. */
export function columnQualifiedName(dataset: LineageName, field: string): string {
  return `${lineageQualifiedName(dataset)}${separator}${field}`;
}

/** Namespace and name of a dataset's or a job's qualified name; undefined when the name is none of OpenLineage. */
export function lineageNameOf(qualifiedName: string): LineageName | undefined {
  const [namespace, name, ...more] = qualifiedName.split(separator);
  if (namespace === undefined || name === undefined || more.length > 0) return undefined;
  return { namespace: unescaped(namespace), name: unescaped(name) };
}

/** What Marquez calls a node of the lineage graph. */
export function nodeIdOf(kind: LineageKind, { namespace, name }: LineageName): string {
  return `${kind}:${namespace}:${name}`;
}

export interface NodeReference {
  kind: LineageKind;
  /** Every way to read the id: namespaces hold colons (`postgres://db:5432`), and so may names. */
  names: LineageName[];
}

/** Reads a node id; undefined when it is none. */
export function parseNodeId(nodeId: string): NodeReference | undefined {
  const [, kind, rest] = /^(dataset|job):(.+)$/s.exec(nodeId) ?? [];
  if ((kind !== 'dataset' && kind !== 'job') || rest === undefined) return undefined;
  const names: LineageName[] = [];
  for (let at = rest.indexOf(':'); at !== -1 && names.length < 16; at = rest.indexOf(':', at + 1)) {
    if (at > 0 && at < rest.length - 1) names.push({ namespace: rest.slice(0, at), name: rest.slice(at + 1) });
  }
  return names.length === 0 ? undefined : { kind, names };
}
