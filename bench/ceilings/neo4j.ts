import type { Driver } from 'neo4j-driver';
import { repeated, throughput, type Distribution } from '../harness/stats.ts';

const batch = 1_000;

export interface Neo4jCeilings {
  /** Nodes a second, by UNWIND … MERGE in batches of 1,000 with a unique constraint. */
  nodes: number;
  /** Relationships a second, by UNWIND … MERGE in batches of 1,000. */
  edges: number;
  /** One node in a transaction of its own, in milliseconds. */
  single: Distribution;
}

const mergeNodes = `
  UNWIND $rows AS row MERGE (n:BenchNode {tenant_id: 'bench', node_id: row.id})
  SET n.name = row.name, n.qualified_name = row.name, n.node_type = 'table', n.version = 1`;
const mergeEdges = `
  UNWIND $rows AS row
  MATCH (a:BenchNode {tenant_id: 'bench', node_id: row.id})
  MATCH (b:BenchNode {tenant_id: 'bench', node_id: row.other})
  MERGE (a)-[:BENCH]->(b)`;

/** The bare driver on nodes of a label of their own. */
export async function neo4jCeilings(driver: Driver, seconds: number): Promise<Neo4jCeilings> {
  await driver.executeQuery(
    'CREATE CONSTRAINT bench_node IF NOT EXISTS FOR (n:BenchNode) REQUIRE (n.tenant_id, n.node_id) IS UNIQUE',
  );
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: `n${from + index}`,
      other: `n${Math.max(0, from + index - 7)}`,
      name: `bench.n${from + index}`,
    }));
  const write = async (query: string, from: number, count: number): Promise<number> => {
    await driver.executeQuery(query, { rows: rows(from, count) });
    return count;
  };
  let merged = 0;
  try {
    // The server compiles what is hot while it runs: the first seconds show what a cold one does.
    await throughput(1, 2 * seconds, async () => {
      await write(mergeNodes, merged, batch);
      merged += batch;
      return batch;
    });
    let next = merged;
    const nodes = await throughput(1, seconds, async () => {
      const from = next;
      next += batch;
      return write(mergeNodes, from, batch);
    });
    const edges = await throughput(1, seconds, (index) => write(mergeEdges, (index * batch) % next, batch));
    const single = await repeated(60, 5, (index) => write(mergeNodes, next + index, 1));
    return { nodes, edges, single };
  } finally {
    await driver.session().run('MATCH (n:BenchNode) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS');
    await driver.executeQuery('DROP CONSTRAINT bench_node IF EXISTS');
  }
}
