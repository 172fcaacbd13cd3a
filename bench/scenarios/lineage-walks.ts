import type { IngestBody } from '#domain/assets/record.ts';
import { metadataId } from '#platform/digest.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { ingestAll } from '../harness/ingest-all.ts';
import { HttpConnection } from '../harness/http-connection.ts';
import { repeated } from '../harness/stats.ts';

const tenantId = 'bench-g';
const depths = [1, 2, 5, 20] as const;

/** Each entity feeds four, and every third is fed by one more: wide, and with diamonds. */
function graph(size: number): IngestBody[] {
  const refTo = (index: number) => ({ entity_type: 'table', qualified_name: `bench.g.t${index}` });
  return Array.from({ length: size }, (_, index) => {
    const parent = Math.floor((index - 1) / 4);
    const upstream =
      index === 0 ? [] : index % 3 === 0 && parent > 1 ? [refTo(parent), refTo(parent - 1)] : [refTo(parent)];
    return {
      ...refTo(index),
      attributes: { name: `t${index}`, description: 'A table in a graph of ten thousand' },
      upstream,
    };
  });
}

/** `GET /v1/metadata/{id}/lineage` from the root of a graph of 10,000 entities, the widest walk that it offers. */
export async function lineageWalks(bench: Bench): Promise<Figure[]> {
  const size = bench.quick ? 2_000 : 10_000;
  const token = await bench.token(tenantId);
  await ingestAll(bench, token, graph(size));
  const rootId = metadataId(tenantId, 'table', 'bench.g.t0');
  const connection = new HttpConnection(bench.stack.addresses.api);
  const headers = { Authorization: `Bearer ${token}` };
  const figures: Figure[] = [];
  for (const depth of depths) {
    let nodes = 0;
    const walk = async (): Promise<void> => {
      const { status, body } = await connection.request(
        'GET',
        `/v1/metadata/${rootId}/lineage?depth=${depth}`,
        headers,
      );
      if (status !== 200) throw new Error(`lineage got ${status}: ${body.slice(0, 300)}`);
      nodes = (JSON.parse(body) as { nodes: unknown[] }).nodes.length;
    };
    const times = bench.quick ? 8 : 25;
    await repeated(5, 0, walk);
    const meter = await bench.meter();
    const latency = await repeated(times, 20, walk);
    const limit = sharesText(meter.shares());
    const bareQuery = `MATCH (:Node {tenant_id: $tenantId, node_id: $rootId})-[:FEEDS*1..${depth}]->(n:Entity) RETURN DISTINCT n.node_id, n.node_type, n.qualified_name, n.name`;
    const query = () => bench.driver.executeQuery(bareQuery, { tenantId, rootId }, { routing: 'READ' });
    await repeated(5, 0, query);
    const bare = await repeated(times, 20, query);
    figures.push({
      scenario: 'g',
      name: `lineage of depth ${depth} in ${numberText(size)} entities, p50`,
      value: latency.p50,
      unit: 'ms',
      ...(depth === 5 && { aim: 250 }),
      ceilings: [{ what: 'bare Cypher for the nodes alone', value: bare.p50 }],
      limit,
      note: `${numberText(nodes)} nodes; p99 ${numberText(latency.p99)} ms`,
    });
  }
  connection.close();
  return figures;
}
