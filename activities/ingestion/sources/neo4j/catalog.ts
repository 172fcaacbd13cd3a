import { byCodeUnit } from '../shared/names.ts';
import type { Neo4jSession } from './connection.ts';

/** What has properties: the nodes of a label, or the relationships of a type. */
export interface Owner {
  kind: 'label' | 'relationship_type';
  name: string;
}

/** Labels and relationship types that are in use, labels first, each in the order of their names. */
export async function readOwners(session: Neo4jSession): Promise<Owner[]> {
  const labels = await session.query<{ name: string }>('CALL db.labels() YIELD label RETURN label AS name');
  const types = await session.query<{ name: string }>(
    'CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType AS name',
  );
  const owners = (kind: Owner['kind'], rows: { name: string }[]): Owner[] =>
    rows.map(({ name }) => ({ kind, name })).sort((a, b) => byCodeUnit(a.name, b.name));
  return [...owners('label', labels), ...owners('relationship_type', types)];
}

export interface Rule {
  /** `constraint` or `index`. */
  rule: string;
  name: string;
  type: string;
  entityType: 'NODE' | 'RELATIONSHIP';
  labelsOrTypes: string[] | null;
  properties: string[] | null;
}

/** Constraints, and the indexes that are not part of one, in the order of their names. */
export async function readRules(session: Neo4jSession): Promise<Rule[]> {
  const constraints = await session.query<Rule>(
    `SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties
     RETURN 'constraint' AS rule, name, type, entityType, labelsOrTypes, properties`,
  );
  const indexes = await session.query<Rule>(
    `SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint WHERE owningConstraint IS NULL
     RETURN 'index' AS rule, name, type, entityType, labelsOrTypes, properties`,
  );
  return [...constraints, ...indexes].sort((a, b) => byCodeUnit(a.name, b.name));
}

export interface Properties {
  /** Nodes or relationships that there are, as the server counts them. */
  count: number;
  sampled: number;
  /** By property, how often it had which type. */
  types: Map<string, Map<string, number>>;
  /** Whether all of them were looked at: only then is a property that was not seen one that is not there. */
  isWhole: boolean;
}

/** Properties that are kept of one owner; there are more only where keys stand for data. */
const mostProperties = 2_000;

/** Looks at the first of the label's nodes, or of the type's relationships: the same ones every time. */
export async function readProperties(session: Neo4jSession, owner: Owner, limit: number): Promise<Properties> {
  const pattern = owner.kind === 'label' ? `(n:${escaped(owner.name)})` : `()-[n:${escaped(owner.name)}]->()`;
  const [counted] = await session.query<{ count: number }>(`MATCH ${pattern} RETURN count(n) AS count`);
  const count = counted?.count ?? 0;
  const rows =
    limit === 0
      ? []
      : await session.query<{ key: string; type: string; count: number }>(
          `MATCH ${pattern} WITH n LIMIT toInteger($limit) UNWIND keys(n) AS key
           RETURN key, valueType(n[key]) AS type, count(*) AS count ORDER BY key, type LIMIT toInteger($most)`,
          { limit, most: mostProperties },
        );
  const types = new Map<string, Map<string, number>>();
  for (const { key, type, count: times } of rows) {
    const known = types.get(key) ?? new Map<string, number>();
    types.set(key, known.set(type.replace(/ NOT NULL$/, ''), times));
  }
  const isWhole = limit > 0 && count <= limit && rows.length < mostProperties;
  return { count, sampled: Math.min(count, limit), types, isWhole };
}

const labelsAtOnce = 200;

/** Labels that relationships of the type go out from and lead to. The server keeps these counts, so nothing is searched. */
export async function readEnds(
  session: Neo4jSession,
  type: string,
  labels: readonly string[],
): Promise<{ from: string[]; to: string[] }> {
  const ends: { from: string[]; to: string[] } = { from: [], to: [] };
  for (let first = 0; first < labels.length; first += labelsAtOnce) {
    const some = labels.slice(first, first + labelsAtOnce);
    const counts = some.map(
      (label) =>
        `[COUNT { (:${escaped(label)})-[:${escaped(type)}]->() }, COUNT { ()-[:${escaped(type)}]->(:${escaped(label)}) }]`,
    );
    const [row] = await session.query<{ counts: [number, number][] }>(`RETURN [${counts.join(', ')}] AS counts`);
    for (const [at, label] of some.entries()) {
      const [out, into] = row?.counts[at] ?? [0, 0];
      if (out > 0) ends.from.push(label);
      if (into > 0) ends.to.push(label);
    }
  }
  return ends;
}

/**
 * A name as it stands in Cypher, where labels and types cannot be parameters. A backslash is escaped too: Cypher reads
 * `\u0060` as a backtick, before it looks for the name's end.
 */
export function escaped(name: string): string {
  return `\`${name.replaceAll('\\', '\\u005C').replaceAll('`', '``')}\``;
}
