import type { Driver, ManagedTransaction } from 'neo4j-driver';

/** An edge that an entity states, and so owns: it goes when the entity no longer states it. */
export interface OwnedEdge {
  /**
   * `FEEDS` and `CONTAINS` come from the other entity to the owner; `RELATES` goes from the owner to the other, and so does
   * `FEEDS_OTHER`, which is `FEEDS` as stated by the one that feeds.
   */
  kind: 'FEEDS' | 'FEEDS_OTHER' | 'CONTAINS' | 'RELATES';
  otherId: string;
  /** The relationship's name, for `RELATES`. */
  relationshipType?: string;
}

/** What the graph should say of one entity as of one version. */
export interface GraphEntity {
  entityId: string;
  version: number;
  deleted: boolean;
  entityType: string;
  qualifiedName: string;
  name: string;
  tags: string[];
  /** The entity's whole set of edges as of `edgesVersion`; absent when the batch did not change it. */
  edges?: OwnedEdge[];
  /** The newest version in the batch that changed the edges. */
  edgesVersion?: number;
}

const transactionTimeoutMs = 60_000;
const edgeKinds = ['FEEDS', 'FEEDS_OTHER', 'CONTAINS', 'RELATES'] as const;

/** Locks the node before its version is compared, so that of two batches with the same entity the newer one wins. */
const putLiving = `
  UNWIND $rows AS row
  MERGE (n:Node {tenant_id: $tenant, node_id: row.id})
  SET n.linked_at = $now
  WITH n, row WHERE coalesce(n.version, 0) < row.version
  SET n += row.properties, n.deleted = null
  SET n:Entity
  REMOVE n:Pending`;

const putDeleted = `
  UNWIND $rows AS row
  MERGE (n:Node {tenant_id: $tenant, node_id: row.id})
  SET n.linked_at = $now
  WITH n, row WHERE coalesce(n.version, 0) < row.version
  SET n += row.properties, n.deleted = true
  REMOVE n:Entity, n:Pending`;

/** The far end of an edge may not have arrived yet: it waits as a Pending node, which no query shows as an entity. */
const putPending = `
  UNWIND $ids AS id
  MERGE (n:Node {tenant_id: $tenant, node_id: id})
  ON CREATE SET n:Pending`;

const claimEdges = `
  UNWIND $rows AS row
  MATCH (n:Node {tenant_id: $tenant, node_id: row.id})
  WITH n, row, n.edges_version AS before
  WHERE coalesce(before, 0) < row.edgesVersion
  SET n.edges_version = row.edgesVersion
  RETURN row.id AS id, before IS NULL AS isFirst`;

const dropStale = `
  UNWIND $rows AS row
  MATCH (n:Node {tenant_id: $tenant, node_id: row.id})-[edge {owner: row.id}]-(other:Node)
  WITH edge, row, other, n,
    CASE WHEN edge:FEEDS AND startNode(edge) = n THEN 'FEEDS_OTHER' ELSE type(edge) END AS kind
  WHERE NOT (kind + '|' + other.node_id + '|' + coalesce(edge.relationship_type, '')) IN row.keep
  DELETE edge`;

const endpoints = `
  UNWIND $rows AS row
  MATCH (owner:Node {tenant_id: $tenant, node_id: row.id})
  MATCH (other:Node {tenant_id: $tenant, node_id: row.other})`;

const edgeWriters: Record<OwnedEdge['kind'], { create: string; merge: string }> = {
  FEEDS: {
    create: `${endpoints} CREATE (other)-[:FEEDS {owner: row.id, created_at: $now}]->(owner)`,
    merge: `${endpoints} MERGE (other)-[edge:FEEDS {owner: row.id}]->(owner) ON CREATE SET edge.created_at = $now`,
  },
  FEEDS_OTHER: {
    create: `${endpoints} CREATE (owner)-[:FEEDS {owner: row.id, created_at: $now}]->(other)`,
    merge: `${endpoints} MERGE (owner)-[edge:FEEDS {owner: row.id}]->(other) ON CREATE SET edge.created_at = $now`,
  },
  CONTAINS: {
    create: `${endpoints} CREATE (other)-[:CONTAINS {owner: row.id, created_at: $now}]->(owner)`,
    merge: `${endpoints} MERGE (other)-[edge:CONTAINS {owner: row.id}]->(owner) ON CREATE SET edge.created_at = $now`,
  },
  RELATES: {
    create: `${endpoints} CREATE (owner)-[:RELATES {owner: row.id, relationship_type: row.type, created_at: $now}]->(other)`,
    merge: `${endpoints} MERGE (owner)-[edge:RELATES {owner: row.id, relationship_type: row.type}]->(other)
      ON CREATE SET edge.created_at = $now`,
  },
};

export interface LinkResult {
  /** Entities of the batch that something living is fed by. */
  rootIds: string[];
}

export type GraphWriter = ReturnType<typeof graphWriter>;

/** Writes a tenant's part of the graph. */
export function graphWriter(driver: Driver) {
  return {
    /**
     * Makes the graph say what a batch changed, in one transaction. Idempotent, and safe against batches that arrive out of
     * order: a node carries its entity's version, and an older one never overwrites a newer.
     */
    async link(tenantId: string, batch: GraphEntity[]): Promise<LinkResult> {
      if (batch.length === 0) return { rootIds: [] };
      const sorted = batch.toSorted((a, b) => (a.entityId < b.entityId ? -1 : 1));
      const session = driver.session();
      try {
        return await session.executeWrite((transaction) => linkBatch(transaction, tenantId, sorted), {
          timeout: transactionTimeoutMs,
        });
      } finally {
        await session.close();
      }
    },
  };
}

async function linkBatch(transaction: ManagedTransaction, tenant: string, batch: GraphEntity[]): Promise<LinkResult> {
  const parameters = { tenant, now: new Date().toISOString() };
  const living = batch.filter((entity) => !entity.deleted);
  const deleted = batch.filter((entity) => entity.deleted);
  if (living.length > 0) await transaction.run(putLiving, { ...parameters, rows: living.map(nodeRow) });
  if (deleted.length > 0) await transaction.run(putDeleted, { ...parameters, rows: deleted.map(nodeRow) });
  await putEdges(transaction, parameters, batch);

  const roots = await transaction.run(
    `UNWIND $ids AS id MATCH (n:Node {tenant_id: $tenant, node_id: id})
     WHERE EXISTS { (n)-[:FEEDS]->(:Entity) } RETURN id`,
    { tenant, ids: batch.map((entity) => entity.entityId) },
  );
  return { rootIds: roots.records.map((record) => record.get('id') as string) };
}

async function putEdges(
  transaction: ManagedTransaction,
  parameters: { tenant: string; now: string },
  batch: GraphEntity[],
): Promise<void> {
  const changed = batch.filter((entity) => entity.edges !== undefined && entity.edgesVersion !== undefined);
  if (changed.length === 0) return;
  const claimed = await transaction.run(claimEdges, {
    ...parameters,
    rows: changed.map((entity) => ({ id: entity.entityId, edgesVersion: entity.edgesVersion })),
  });
  const isFirst = new Map(claimed.records.map((row) => [row.get('id') as string, row.get('isFirst') as boolean]));
  const owners = changed.filter((entity) => isFirst.has(entity.entityId));

  const own = new Set(batch.map((entity) => entity.entityId));
  const others = new Set(owners.flatMap((owner) => (owner.edges ?? []).map((edge) => edge.otherId)));
  const ids = [...others.difference(own)].sort();
  if (ids.length > 0) await transaction.run(putPending, { ...parameters, ids });

  const later = owners.filter((owner) => isFirst.get(owner.entityId) === false);
  if (later.length > 0) await transaction.run(dropStale, { ...parameters, rows: later.map(keepRow) });
  for (const kind of edgeKinds) {
    for (const first of [true, false]) {
      const rows = owners
        .filter((owner) => isFirst.get(owner.entityId) === first)
        .flatMap((owner) => edgeRows(owner, kind));
      const writer = first ? edgeWriters[kind].create : edgeWriters[kind].merge;
      if (rows.length > 0) await transaction.run(writer, { ...parameters, rows });
    }
  }
}

function nodeRow(entity: GraphEntity): object {
  return {
    id: entity.entityId,
    version: entity.version,
    properties: {
      version: entity.version,
      node_type: entity.entityType,
      name: entity.name,
      qualified_name: entity.qualifiedName,
      tags: entity.tags,
    },
  };
}

function keepRow(owner: GraphEntity): object {
  const keep = (owner.edges ?? []).map((edge) => `${edge.kind}|${edge.otherId}|${edge.relationshipType ?? ''}`);
  return { id: owner.entityId, keep };
}

function edgeRows(owner: GraphEntity, kind: OwnedEdge['kind']): object[] {
  return (owner.edges ?? [])
    .filter((edge) => edge.kind === kind)
    .map((edge) => ({ id: owner.entityId, other: edge.otherId, type: edge.relationshipType ?? null }));
}
