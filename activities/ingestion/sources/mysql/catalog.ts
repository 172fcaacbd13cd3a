import type { MysqlSession } from './connection.ts';

/** What the server keeps for itself. */
const systemDatabases = ['information_schema', 'mysql', 'performance_schema', 'sys'];

/** Kinds of relations that are entities; sequences and the like are not. */
export const relationTypes = ['BASE TABLE', 'SYSTEM VERSIONED', 'VIEW'];

export interface DatabaseRow {
  name: string;
  charset: string;
  collation: string;
}

/** Databases that the user may see, in no particular order. */
export async function readDatabases(session: MysqlSession): Promise<DatabaseRow[]> {
  return session.query<DatabaseRow>(
    `SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation
     FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN (?)`,
    [systemDatabases],
  );
}

export interface RelationSize {
  name: string;
  width: number;
}

/** Names of the relations that follow one, in the order of their bytes, with their numbers of columns. */
export async function readRelationSizes(
  session: MysqlSession,
  database: string,
  after: string,
  limit: number,
): Promise<RelationSize[]> {
  return session.query<RelationSize>(
    `SELECT t.TABLE_NAME AS name,
       (SELECT COUNT(*) FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = ? AND c.TABLE_NAME = t.TABLE_NAME) AS width
     FROM information_schema.TABLES t
     WHERE t.TABLE_SCHEMA = ? AND t.TABLE_TYPE IN (?) AND CAST(t.TABLE_NAME AS BINARY) > CAST(? AS BINARY)
     ORDER BY CAST(t.TABLE_NAME AS BINARY) LIMIT ?`,
    [database, database, relationTypes, after, limit],
  );
}

export interface RelationRow {
  name: string;
  type: string;
  engine: string | null;
  comment: string | null;
  collation: string | null;
  options: string | null;
  row_estimate: number | string | null;
  size_bytes: number | string | null;
}

export async function readRelations(session: MysqlSession, database: string, names: string[]): Promise<RelationRow[]> {
  return session.query<RelationRow>(
    `SELECT TABLE_NAME AS name, TABLE_TYPE AS type, ENGINE AS engine, TABLE_COMMENT AS comment, TABLE_COLLATION AS collation,
       CREATE_OPTIONS AS options, TABLE_ROWS AS row_estimate, DATA_LENGTH + INDEX_LENGTH AS size_bytes
     FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)
     ORDER BY CAST(TABLE_NAME AS BINARY)`,
    [database, names],
  );
}

export interface ColumnRow {
  relation: string;
  name: string;
  position: number;
  data_type: string;
  nullable: 'YES' | 'NO';
  default_expression: string | null;
  collation: string | null;
  extra: string;
  comment: string;
  generated_as: string | null;
}

export async function readColumns(session: MysqlSession, database: string, names: string[]): Promise<ColumnRow[]> {
  return session.query<ColumnRow>(
    `SELECT TABLE_NAME AS relation, COLUMN_NAME AS name, ORDINAL_POSITION AS position, COLUMN_TYPE AS data_type,
       IS_NULLABLE AS nullable, COLUMN_DEFAULT AS default_expression, COLLATION_NAME AS collation, EXTRA AS extra,
       COLUMN_COMMENT AS comment, GENERATION_EXPRESSION AS generated_as
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)
     ORDER BY CAST(TABLE_NAME AS BINARY), ORDINAL_POSITION`,
    [database, names],
  );
}

export interface KeyColumnRow {
  relation: string;
  key_name: string;
  column: string;
  target_database: string | null;
  target: string | null;
  target_column: string | null;
}

/** Columns of primary, unique and foreign keys, in their order within each key. */
export async function readKeyColumns(
  session: MysqlSession,
  database: string,
  names: string[],
): Promise<KeyColumnRow[]> {
  return session.query<KeyColumnRow>(
    `SELECT TABLE_NAME AS relation, CONSTRAINT_NAME AS key_name, COLUMN_NAME AS \`column\`,
       REFERENCED_TABLE_SCHEMA AS target_database, REFERENCED_TABLE_NAME AS target, REFERENCED_COLUMN_NAME AS target_column
     FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)
     ORDER BY CAST(TABLE_NAME AS BINARY), CAST(CONSTRAINT_NAME AS BINARY), ORDINAL_POSITION`,
    [database, names],
  );
}

export interface ViewRow {
  name: string;
  /** Empty when the user may not see it. */
  definition: string | null;
  definer: string | null;
  security: string | null;
}

export async function readViews(session: MysqlSession, database: string, names: string[]): Promise<ViewRow[]> {
  return session.query<ViewRow>(
    `SELECT TABLE_NAME AS name, VIEW_DEFINITION AS definition, DEFINER AS definer, SECURITY_TYPE AS security
     FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?)`,
    [database, names],
  );
}

export interface ViewUsageRow {
  view: string;
  database: string;
  name: string;
}

/** What views are made from, as MySQL 8 keeps it. MariaDB does not. */
export async function readViewUsage(session: MysqlSession, database: string, names: string[]): Promise<ViewUsageRow[]> {
  return session.query<ViewUsageRow>(
    `SELECT VIEW_NAME AS view, TABLE_SCHEMA AS \`database\`, TABLE_NAME AS name
     FROM information_schema.VIEW_TABLE_USAGE WHERE VIEW_SCHEMA = ? AND VIEW_NAME IN (?)`,
    [database, names],
  );
}

/** The kinds of relations wherever they are, as far as the user may see them: by database, then by name. */
export async function readRelationTypes(
  session: MysqlSession,
  relations: readonly { database: string; name: string }[],
): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>();
  for (const [database, group] of Map.groupBy(relations, (one) => one.database)) {
    const rows = await session.query<{ name: string; type: string }>(
      `SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (?) AND TABLE_TYPE IN (?)`,
      [database, [...new Set(group.map(({ name }) => name))], relationTypes],
    );
    found.set(database, new Map(rows.map(({ name, type }) => [name, type])));
  }
  return found;
}
