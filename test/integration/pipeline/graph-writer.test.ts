import type { Driver } from 'neo4j-driver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { graphWriter, type GraphEntity, type OwnedEdge } from '#platform/neo4j/graph-writer.ts';
import { lineage } from '#platform/neo4j/lineage.ts';
import { freshTenant } from '#test/support/pipeline.ts';

let driver: Driver;

beforeAll(() => {
  driver = connectNeo4j(loadConfig(process.env).neo4j);
});
afterAll(() => driver.close());

function node(id: string, version: number, change: Partial<GraphEntity> = {}): GraphEntity {
  return {
    entityId: id,
    version,
    deleted: false,
    entityType: 'table',
    qualifiedName: id,
    name: `${id} v${version}`,
    tags: [],
    ...change,
  };
}

const fedBy = (...ids: string[]): OwnedEdge[] => ids.map((otherId) => ({ kind: 'FEEDS', otherId }));

/** The tenant's whole graph, as text. */
async function picture(tenantId: string): Promise<string[]> {
  const nodes = await driver.executeQuery(
    'MATCH (n:Node {tenant_id: $tenantId}) RETURN n.node_id + " " + coalesce(n.name, "?") + " " + labels(n)[1..][0] AS text',
    { tenantId },
  );
  const edges = await driver.executeQuery(
    `MATCH (a:Node {tenant_id: $tenantId})-[e]->(b) RETURN a.node_id + "-" + type(e) + coalesce(":" + e.relationship_type, "") + "->" + b.node_id AS text`,
    { tenantId },
  );
  return [...nodes.records, ...edges.records].map((row) => String(row.get('text'))).sort();
}

const orders = [
  [0, 1, 2, 3],
  [3, 2, 1, 0],
  [1, 3, 0, 2],
  [2, 0, 3, 1],
];

describe('graphWriter on Neo4j', () => {
  it('ends in the same graph whatever the order in which batches arrive', async () => {
    const batches: GraphEntity[][] = [
      [node('a', 1, { edges: fedBy('x', 'y'), edgesVersion: 1 })],
      [node('a', 2, { edges: fedBy('y', 'z'), edgesVersion: 2 })],
      [node('a', 3)],
      [node('x', 1, { edges: [{ kind: 'CONTAINS', otherId: 'db' }], edgesVersion: 1 })],
    ];
    for (const order of orders) {
      const tenantId = freshTenant();
      for (const index of order) await graphWriter(driver).link(tenantId, batches[index] ?? []);
      expect((await picture(tenantId)).filter((line) => !line.startsWith('x-'))).toEqual([
        'a a v3 Entity',
        'db ? Pending',
        'db-CONTAINS->x',
        'x x v1 Entity',
        'y ? Pending',
        'y-FEEDS->a',
        'z ? Pending',
        'z-FEEDS->a',
      ]);
    }
  });

  it('settles concurrent batches with the same entity on the newest version', async () => {
    const tenantId = freshTenant();
    const versions = Array.from({ length: 12 }, (_, index) => index + 1);
    await Promise.all(
      versions.map((version) =>
        graphWriter(driver).link(tenantId, [
          node('a', version, { edges: fedBy(`u${version}`, 'shared'), edgesVersion: version }),
        ]),
      ),
    );
    const lines = (await picture(tenantId)).filter((line) => line.includes('->') || line.startsWith('a '));
    expect(lines).toEqual(['a a v12 Entity', 'shared-FEEDS->a', 'u12-FEEDS->a']);
  });

  it('is the same done twice, and keeps the time at which an edge was made', async () => {
    const tenantId = freshTenant();
    const first = [node('a', 1, { edges: fedBy('x'), edgesVersion: 1 })];
    await graphWriter(driver).link(tenantId, first);
    const made = await driver.executeQuery('MATCH ({tenant_id: $tenantId})-[e]->() RETURN e.created_at AS at', {
      tenantId,
    });
    await graphWriter(driver).link(tenantId, first);
    await graphWriter(driver).link(tenantId, [node('a', 2, { edges: fedBy('x', 'y'), edgesVersion: 2 })]);
    const kept = await driver.executeQuery(
      'MATCH ({tenant_id: $tenantId, node_id: "x"})-[e]->() RETURN e.created_at AS at',
      { tenantId },
    );
    expect(kept.records.map((row) => row.get('at'))).toEqual(made.records.map((row) => row.get('at')));
  });

  it('takes a deleted entity out of sight, with its own edges, and leaves what others state', async () => {
    const tenantId = freshTenant();
    const graph = graphWriter(driver);
    await graph.link(tenantId, [
      node('a', 1, { edges: fedBy('x'), edgesVersion: 1 }),
      node('b', 1, { edges: fedBy('a'), edgesVersion: 1 }),
      node('x', 1, { edges: [], edgesVersion: 1 }),
    ]);
    const { rootIds } = await graph.link(tenantId, [node('a', 2, { deleted: true, edges: [], edgesVersion: 2 })]);
    expect(rootIds).toEqual(['a']);
    const seen = await lineage(driver).walk(tenantId, 'x', { direction: 'downstream', depth: 20, limit: 100 });
    expect(seen.nodes.map((one) => one.metadata_id)).toEqual(['x']);
    await graph.link(tenantId, [node('a', 3, { edges: fedBy('x'), edgesVersion: 3 })]);
    const again = await lineage(driver).walk(tenantId, 'x', { direction: 'downstream', depth: 20, limit: 100 });
    expect(again.nodes.map((one) => [one.metadata_id, one.distance])).toEqual([
      ['x', 0],
      ['a', 1],
      ['b', 2],
    ]);
    expect(again.edges).toEqual([
      { relationship_type: 'FEEDS', source: 'x', target: 'a' },
      { relationship_type: 'FEEDS', source: 'a', target: 'b' },
    ]);
  });

  it("never touches another tenant's node, even when a record names its id", async () => {
    const [one, other] = [freshTenant(), freshTenant()];
    await graphWriter(driver).link(one, [node('secret', 1, { edges: [], edgesVersion: 1 })]);
    await graphWriter(driver).link(other, [node('b', 1, { edges: fedBy('secret'), edgesVersion: 1 })]);
    expect(await picture(one)).toEqual(['secret secret v1 Entity']);
    expect(await picture(other)).toEqual(['b b v1 Entity', 'secret ? Pending', 'secret-FEEDS->b']);
    const up = await lineage(driver).walk(other, 'b', { direction: 'upstream', depth: 20, limit: 100 });
    expect(up.nodes.map((found) => found.metadata_id)).toEqual(['b']);
  });

  it('walks cycles and diamonds once, and says when it cut', async () => {
    const tenantId = freshTenant();
    const link = (id: string, ...upstream: string[]) => node(id, 1, { edges: fedBy(...upstream), edgesVersion: 1 });
    await graphWriter(driver).link(tenantId, [link('a', 'd'), link('b', 'a'), link('c', 'a'), link('d', 'b', 'c')]);
    const whole = await lineage(driver).walk(tenantId, 'a', { direction: 'downstream', depth: 20, limit: 100 });
    expect(whole.nodes).toHaveLength(4);
    expect(whole.edges).toHaveLength(5);
    expect(whole.truncated).toBe(false);
    const cut = await lineage(driver).walk(tenantId, 'a', { direction: 'downstream', depth: 20, limit: 2 });
    expect([cut.nodes.length, cut.truncated]).toEqual([2, true]);
  });

  it('holds edges both ways of the entity that states them, and takes away just those that it states no more', async () => {
    const tenantId = freshTenant();
    const writer = graphWriter(driver);
    const feeds = (...ids: string[]): OwnedEdge[] => ids.map((otherId) => ({ kind: 'FEEDS_OTHER', otherId }));
    await writer.link(tenantId, [
      node('job', 1, { edges: [...fedBy('in', 'both'), ...feeds('out', 'both')], edgesVersion: 1 }),
      node('out', 1, { edges: fedBy('job'), edgesVersion: 1 }),
      ...['in', 'both'].map((id) => node(id, 1)),
    ]);
    const edgesOf = async () => (await picture(tenantId)).filter((text) => text.includes('->'));
    expect(await edgesOf()).toEqual([
      'both-FEEDS->job',
      'in-FEEDS->job',
      'job-FEEDS->both',
      'job-FEEDS->out',
      'job-FEEDS->out',
    ]);
    const walk = await lineage(driver).walk(tenantId, 'in', { direction: 'downstream', depth: 5, limit: 10 });
    expect(walk.edges.filter(({ target }) => target === 'out')).toHaveLength(1);

    await writer.link(tenantId, [node('job', 2, { edges: [...fedBy('both'), ...feeds('new')], edgesVersion: 2 })]);
    expect(await edgesOf()).toEqual(['both-FEEDS->job', 'job-FEEDS->new', 'job-FEEDS->out']);
  });
});
