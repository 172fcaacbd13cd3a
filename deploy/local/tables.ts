import pc from 'picocolors';
import type { ServiceStatus, Stack } from './stack.ts';

/** Lines up cells in columns; the first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row, index) => {
      const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
      return index === 0 ? pc.bold(line.trimEnd()) : line.trimEnd();
    })
    .join('\n');
}

export function statusTable(status: readonly ServiceStatus[]): string {
  const rows = status.map(({ name, pid, address, health }) => [
    name,
    pid === null ? '-' : String(pid),
    health,
    address,
  ]);
  return table([['name', 'pid', 'health', 'address'], ...rows]);
}

/** Where everything that is up is reached, and what for. */
export function addressTable(stack: Stack, status: readonly ServiceStatus[]): string {
  const { addresses } = stack;
  const up = new Set(status.filter((service) => service.health === 'healthy').map((service) => service.name));
  const entries = [
    ['api', 'API', addresses.api, 'send metadata, read it, its versions and lineage'],
    ['api', 'API reference', addresses.docs, 'read and try every endpoint'],
    ['temporal', 'Temporal Web UI', addresses.temporalUi, 'watch every run by tenant, kind and subject'],
    ['temporal', 'Temporal', addresses.temporal, 'gRPC'],
    ['kafka', 'Kafka', addresses.kafka, 'topics of records, changes and impacts'],
    ['mongo', 'MongoDB', addresses.mongo, 'entities and their history'],
    ['neo4j', 'Neo4j', addresses.neo4j, `lineage graph; user neo4j, password in .lily/${stack.name}/secrets.json`],
    ['oidc', 'OpenID issuer', addresses.oidc, 'sign-in; npm run -s token'],
    ['warehouse', 'Warehouse', addresses.warehouse, 'the PostgreSQL that the demo crawls'],
    ['worker', 'Worker', `${addresses.workerHealth}/healthz`, 'health of the Temporal worker and Kafka consumers'],
  ] as const;
  const rows = entries.flatMap(([service, ...row]) => (up.has(service) ? [row] : []));
  return table([['what', 'address', 'for'], ...rows]);
}
