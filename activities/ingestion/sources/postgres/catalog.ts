import type { PostgresSource } from '#domain/ingestion/sources/postgres.ts';
import type { Session } from './connection.ts';
import { likePattern } from '../shared/names.ts';

/** Which schemas a crawl enumerates: parameters for {@link schemaFilter}, always $1 and $2. */
export type ScopeValues = [includeSystem: boolean, patterns: string[] | null];

export function scopeValues(source: PostgresSource): ScopeValues {
  return [source.include_system === true, source.schemas?.map(likePattern) ?? null];
}

/** Schemas of other sessions' temporary objects and of TOAST are nobody's; their names are reserved (`pg_…`). */
export const schemaFilter = `
  ($1 AND n.nspname IN ('pg_catalog', 'information_schema')
    OR n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema')
  AND ($2::text[] IS NULL OR n.nspname::text LIKE ANY ($2))`;

/** Tables, partitioned tables, foreign tables, views and materialized views. */
export const relationKinds = `('r', 'p', 'f', 'v', 'm')`;

export interface DatabaseRow {
  name: string;
  owner: string;
  description: string | null;
  encoding: string;
  server_version: string;
}

export async function readDatabase(session: Session): Promise<DatabaseRow | undefined> {
  const [row] = await session.query<DatabaseRow>(`
    SELECT d.datname::text AS name, pg_get_userbyid(d.datdba)::text AS owner, shobj_description(d.oid, 'pg_database') AS description,
      pg_encoding_to_char(d.encoding)::text AS encoding, current_setting('server_version') AS server_version
    FROM pg_database d WHERE d.datname = current_database()`);
  return row;
}

export interface SchemaRow {
  name: string;
  owner: string;
  description: string | null;
}

export async function readSchemas(
  session: Session,
  scope: ScopeValues,
  after: string,
  limit: number,
): Promise<SchemaRow[]> {
  return session.query<SchemaRow>(
    `SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner, obj_description(n.oid, 'pg_namespace') AS description
     FROM pg_namespace n WHERE ${schemaFilter} AND n.nspname > $3::name ORDER BY n.nspname LIMIT $4`,
    [...scope, after, limit],
  );
}

export interface RelationRow {
  oid: number;
  schema: string;
  name: string;
  kind: string;
  owner: string;
  description: string | null;
  /** Columns that it has or had. */
  width: number;
  row_estimate: number;
  size_bytes: string;
  definition: string | null;
  partition_key: string | null;
  partition_bound: string | null;
  /** Relations that the query looked at; fewer than its limit means that there are no more. */
  candidates: number;
}

/** The relations that follow a name, whole ones, until about `budget` entities are reached; at least one if there is one. */
export async function readRelations(
  session: Session,
  scope: ScopeValues,
  after: readonly [schema: string, name: string],
  budget: number,
): Promise<RelationRow[]> {
  return session.query<RelationRow>(
    `WITH candidates AS (
       SELECT c.*, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ${relationKinds} AND ${schemaFilter} AND (n.nspname, c.relname) > ($3::name, $4::name)
       ORDER BY n.nspname, c.relname LIMIT $5
     ), sized AS (
       SELECT *, sum(relnatts + 1) OVER (ORDER BY nspname, relname) - (relnatts + 1) AS before FROM candidates
     )
     SELECT oid, nspname::text AS schema, relname::text AS name, relkind::text AS kind, pg_get_userbyid(relowner)::text AS owner,
       obj_description(oid, 'pg_class') AS description, relnatts::int AS width, reltuples::float8 AS row_estimate,
       relpages::int8 * current_setting('block_size')::int8 AS size_bytes,
       CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END AS definition,
       CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END AS partition_key,
       pg_get_expr(relpartbound, oid) AS partition_bound, (SELECT count(*)::int FROM candidates) AS candidates
     FROM sized WHERE before < $5 ORDER BY nspname, relname`,
    [...scope, ...after, budget],
  );
}

export interface ColumnRow {
  relation: number;
  attnum: number;
  name: string;
  data_type: string;
  nullable: boolean;
  default_expression: string | null;
  identity: string;
  generated: string;
  description: string | null;
}

export async function readColumns(session: Session, relations: number[]): Promise<ColumnRow[]> {
  return session.query<ColumnRow>(
    `SELECT a.attrelid AS relation, a.attnum::int AS attnum, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS data_type,
       NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS default_expression, a.attidentity::text AS identity,
       a.attgenerated::text AS generated, t.description
     FROM pg_attribute a
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     LEFT JOIN pg_description t ON t.objoid = a.attrelid AND t.classoid = 'pg_class'::regclass AND t.objsubid = a.attnum
     WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`,
    [relations],
  );
}

export interface KeyRow {
  relation: number;
  name: string;
  /** `p`rimary, `u`nique or `f`oreign. */
  kind: 'p' | 'u' | 'f';
  columns: string[];
  target: number;
  target_columns: string[];
}

/** SQL for the names of a relation's columns, in the order of an array of their numbers. */
const columnNames = (oid: string, numbers: string): string =>
  `ARRAY(SELECT a.attname::text FROM unnest(${numbers}) WITH ORDINALITY u(attnum, i)
     JOIN pg_attribute a ON a.attrelid = ${oid} AND a.attnum = u.attnum ORDER BY u.i)`;

/** Keys, and unique indexes that are as good as one: over plain columns of the whole table. */
export async function readKeys(session: Session, relations: number[]): Promise<KeyRow[]> {
  return session.query<KeyRow>(
    `SELECT k.conrelid AS relation, k.conname::text AS name, k.contype::text AS kind, ${columnNames('k.conrelid', 'k.conkey')} AS columns,
       k.confrelid AS target, ${columnNames('k.confrelid', 'k.confkey')} AS target_columns
     FROM pg_constraint k
     WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'f')
       -- A foreign key to a partitioned table is kept once more for each partition.
       AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
     UNION ALL
     SELECT i.indrelid, c.relname::text, 'u', ${columnNames('i.indrelid', '(i.indkey::int2[])[0:i.indnkeyatts - 1]')}, 0, '{}'
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND 0 <> ALL (i.indkey::int2[])
       AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
     ORDER BY 1, 3, 2`,
    [relations],
  );
}

export interface RuleRow {
  view: number;
  /** The view's query as a node tree; null when it is larger than anything a view should be. */
  action: string | null;
  /** Relations that the database says the view depends on. */
  depends_on: number[];
}

/** Characters of a view's tree beyond which its columns are not followed. */
const largestAction = 16 * 1024 * 1024;

export async function readViewRules(session: Session, views: number[]): Promise<RuleRow[]> {
  return session.query<RuleRow>(
    `SELECT r.ev_class AS view, CASE WHEN length(r.ev_action::text) <= $2 THEN r.ev_action::text END AS action,
       ARRAY(SELECT DISTINCT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class) AS depends_on
     FROM pg_rewrite r WHERE r.ev_class = ANY ($1::oid[]) AND r.rulename = '_RETURN'`,
    [views, largestAction],
  );
}

export interface ParentRow {
  relation: number;
  parent: number;
}

/** Tables that tables inherit from or are partitions of. */
export async function readParents(session: Session, relations: number[]): Promise<ParentRow[]> {
  return session.query<ParentRow>(
    `SELECT inhrelid AS relation, inhparent AS parent FROM pg_inherits WHERE inhrelid = ANY ($1::oid[]) ORDER BY 1, inhseqno`,
    [relations],
  );
}

export interface NameRow {
  oid: number;
  schema: string;
  name: string;
  kind: string;
}

/** Names of relations that others point at, wherever they are. */
export async function readNames(session: Session, relations: number[]): Promise<NameRow[]> {
  return session.query<NameRow>(
    `SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ${relationKinds}`,
    [relations],
  );
}

export async function readColumnNames(
  session: Session,
  relations: number[],
): Promise<{ oid: number; attnum: number; name: string }[]> {
  return session.query(
    `SELECT attrelid AS oid, attnum::int AS attnum, attname::text AS name FROM pg_attribute
     WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum`,
    [relations],
  );
}
