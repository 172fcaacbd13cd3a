import type { Driver } from 'neo4j-driver';
import type { EntityVersion } from '#domain/assets/entity.ts';
import type { Findings } from './findings.ts';

export interface GraphCounts {
  nodes: number;
  pending: number;
  edges: number;
}

interface GraphNode {
  id: string;
  labels: string[];
  version: number | null;
}

/** Compares a tenant's graph with the newest version of each of its entities. */
export async function checkGraph(
  driver: Driver,
  tenantId: string,
  newest: ReadonlyMap<string, EntityVersion>,
  findings: Findings,
): Promise<GraphCounts> {
  const nodes = await readNodes(driver, tenantId);
  for (const node of nodes.values()) checkNode(node, newest.get(node.id), findings);
  for (const id of newest.keys()) if (!nodes.has(id)) findings.add('missing node', id, 'the graph has no node for it');

  const edges = await readEdges(driver, tenantId);
  let count = 0;
  for (const id of new Set([...edges.keys(), ...newest.keys()])) {
    const found = (edges.get(id) ?? []).sort();
    const expected = ownedEdges(newest.get(id));
    count += found.length;
    if (found.join(' ') === expected.join(' ')) continue;
    const missing = expected.filter((edge) => !found.includes(edge));
    const extra = found.filter((edge, index) => !expected.includes(edge) || found.indexOf(edge) !== index);
    findings.add('wrong edges', id, `missing [${missing.join(', ')}], not stated or doubled [${extra.join(', ')}]`);
  }
  const pending = [...nodes.values()].filter((node) => node.labels.includes('Pending')).length;
  return { nodes: nodes.size, pending, edges: count };
}

function checkNode(node: GraphNode, version: EntityVersion | undefined, findings: Findings): void {
  const isEntity = node.labels.includes('Entity');
  const isPending = node.labels.includes('Pending');
  if (version === undefined) {
    if (isEntity || !isPending || node.version !== null) {
      findings.add('invented node', node.id, `looks real (${node.labels.join(':')}), but there is no such entity`);
    }
    return;
  }
  const living = version.change !== 'deleted';
  if (isPending) findings.add('wrong node', node.id, 'is still Pending, though the entity has arrived');
  if (isEntity !== living) {
    findings.add(
      'wrong node',
      node.id,
      `${isEntity ? 'has' : 'lacks'} the label Entity, but is ${living ? 'living' : 'deleted'}`,
    );
  }
  if (node.version !== version.version) {
    findings.add('wrong node', node.id, `is at version ${node.version}, the entity at ${version.version}`);
  }
}

async function readNodes(driver: Driver, tenantId: string): Promise<Map<string, GraphNode>> {
  const { records } = await driver.executeQuery(
    'MATCH (n:Node {tenant_id: $tenantId}) RETURN n.node_id AS id, labels(n) AS labels, n.version AS version',
    { tenantId },
    { routing: 'READ' },
  );
  return new Map(
    records.map((row) => {
      const node = row.toObject() as GraphNode;
      return [node.id, node];
    }),
  );
}

/** Every edge by the entity that states it, as `KIND from>to` or `RELATES:TYPE from>to`. */
async function readEdges(driver: Driver, tenantId: string): Promise<Map<string, string[]>> {
  const { records } = await driver.executeQuery(
    `MATCH (a:Node {tenant_id: $tenantId})-[r]->(b:Node)
     RETURN r.owner AS owner, type(r) AS kind, r.relationship_type AS name, a.node_id AS source, b.node_id AS target`,
    { tenantId },
    { routing: 'READ' },
  );
  const edges = new Map<string, string[]>();
  for (const row of records) {
    const owner = String(row.get('owner'));
    const name = row.get('name') as string | null;
    const kind = `${String(row.get('kind'))}${name === null ? '' : `:${name}`}`;
    const list = edges.get(owner) ?? [];
    list.push(`${kind} ${String(row.get('source'))}>${String(row.get('target'))}`);
    edges.set(owner, list);
  }
  return edges;
}

function ownedEdges(version: EntityVersion | undefined): string[] {
  if (version === undefined || version.change === 'deleted') return [];
  const id = version.entity_id;
  const edges = [
    ...version.upstream.map((ref) => `FEEDS ${ref.metadata_id}>${id}`),
    ...(version.downstream ?? []).map((ref) => `FEEDS ${id}>${ref.metadata_id}`),
    ...version.relationships.map((edge) => `RELATES:${edge.relationship_type} ${id}>${edge.target.metadata_id}`),
  ];
  if (version.parent !== undefined) edges.push(`CONTAINS ${version.parent.metadata_id}>${id}`);
  return edges.sort();
}
