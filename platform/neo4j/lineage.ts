import type { Driver, Session } from 'neo4j-driver';

export type Direction = 'upstream' | 'downstream';

export interface LineageNode {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
  name: string;
  /** Hops from the entity that was asked for; the shortest way counts. */
  distance: number;
}

export interface LineageEdge {
  relationship_type: 'FEEDS';
  source: string;
  target: string;
}

export interface LineageGraph {
  nodes: LineageNode[];
  edges: LineageEdge[];
  /** Whether there was more than the limit allows. */
  truncated: boolean;
}

/** One step from a node to its living neighbours. */
export interface Expansion {
  from: string;
  to: Omit<LineageNode, 'distance'>[];
}

const transactionTimeoutMs = 20_000;
/** Nodes whose neighbours are asked for in one query. */
const frontierChunk = 2_000;

/** One hop at a time: distinct nodes only, never paths, so a graph full of diamonds costs no more than its edges. */
const hop: Record<Direction, string> = {
  downstream: `
    UNWIND $ids AS id
    MATCH (n:Node {tenant_id: $tenant, node_id: id})-[:FEEDS]->(next:Entity)
    WITH id, collect(DISTINCT next) AS all
    RETURN id AS source, [next IN all | [next.node_id, next.node_type, next.qualified_name, next.name]] AS neighbours`,
  upstream: `
    UNWIND $ids AS id
    MATCH (n:Node {tenant_id: $tenant, node_id: id})<-[:FEEDS]-(next:Entity)
    WITH id, collect(DISTINCT next) AS all
    RETURN id AS source, [next IN all | [next.node_id, next.node_type, next.qualified_name, next.name]] AS neighbours`,
};

export type Lineage = ReturnType<typeof lineage>;

/** Reads a tenant's lineage. Every walk is bounded in depth, nodes and time. */
export function lineage(driver: Driver) {
  return {
    /** Everything within `depth` hops of the entity, itself included at distance 0 when it is a living entity. */
    async walk(
      tenantId: string,
      entityId: string,
      options: { direction: Direction; depth: number; limit: number },
    ): Promise<LineageGraph> {
      const session = driver.session({ defaultAccessMode: 'READ' });
      try {
        return await walkFrom(session, tenantId, entityId, options);
      } finally {
        await session.close();
      }
    },

    /** One hop downstream of each of the ids. */
    async downstreamOf(tenantId: string, ids: string[]): Promise<Expansion[]> {
      const session = driver.session({ defaultAccessMode: 'READ' });
      try {
        return await expand(session, tenantId, ids, 'downstream');
      } finally {
        await session.close();
      }
    },
  };
}

async function walkFrom(
  session: Session,
  tenantId: string,
  entityId: string,
  { direction, depth, limit }: { direction: Direction; depth: number; limit: number },
): Promise<LineageGraph> {
  const nodes = new Map<string, LineageNode>();
  const edges: LineageEdge[] = [];
  const start = await startNode(session, tenantId, entityId);
  if (start === undefined) return { nodes: [], edges, truncated: false };
  nodes.set(entityId, start);
  let truncated = false;
  let frontier = [entityId];
  for (let distance = 1; distance <= depth && frontier.length > 0 && !truncated; distance++) {
    const next: string[] = [];
    for (const { from, to } of await expand(session, tenantId, frontier, direction)) {
      for (const neighbour of to) {
        if (!nodes.has(neighbour.metadata_id)) {
          if (nodes.size >= limit) {
            truncated = true;
            continue;
          }
          nodes.set(neighbour.metadata_id, { ...neighbour, distance });
          next.push(neighbour.metadata_id);
        }
        const [source, target] =
          direction === 'downstream' ? [from, neighbour.metadata_id] : [neighbour.metadata_id, from];
        edges.push({ relationship_type: 'FEEDS', source, target });
      }
    }
    frontier = next;
  }
  return { nodes: [...nodes.values()], edges, truncated };
}

async function startNode(session: Session, tenantId: string, entityId: string): Promise<LineageNode | undefined> {
  const result = await session.executeRead((transaction) =>
    transaction.run(
      `MATCH (n:Node:Entity {tenant_id: $tenant, node_id: $id})
       RETURN n.node_type AS type, n.qualified_name AS qualifiedName, n.name AS name`,
      { tenant: tenantId, id: entityId },
    ),
  );
  const row = result.records[0];
  if (row === undefined) return undefined;
  return {
    metadata_id: entityId,
    entity_type: row.get('type') as string,
    qualified_name: row.get('qualifiedName') as string,
    name: row.get('name') as string,
    distance: 0,
  };
}

async function expand(session: Session, tenantId: string, ids: string[], direction: Direction): Promise<Expansion[]> {
  const expansions: Expansion[] = [];
  for (let start = 0; start < ids.length; start += frontierChunk) {
    const chunk = ids.slice(start, start + frontierChunk);
    const result = await session.executeRead(
      (transaction) => transaction.run(hop[direction], { tenant: tenantId, ids: chunk }),
      { timeout: transactionTimeoutMs },
    );
    for (const row of result.records) {
      const neighbours = row.get('neighbours') as [string, string, string, string][];
      expansions.push({
        from: row.get('source') as string,
        to: neighbours.map(([metadata_id, entity_type, qualified_name, name]) => ({
          metadata_id,
          entity_type,
          qualified_name,
          name,
        })),
      });
    }
  }
  return expansions;
}
