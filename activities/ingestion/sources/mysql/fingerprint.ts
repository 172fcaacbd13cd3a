import { relationTypes } from './catalog.ts';
import type { MysqlSession } from './connection.ts';

interface Part {
  from: string;
  values: readonly string[];
  where?: string;
}

/**
 * Everything that a crawl reads but statistics. The catalogue has no versions; what it has is when a table was made anew, which
 * every ALTER TABLE changes.
 */
const parts: readonly Part[] = [
  { from: 'SCHEMATA', values: ['SCHEMA_NAME', 'DEFAULT_COLLATION_NAME'], where: 'SCHEMA_NAME IN (?)' },
  {
    from: 'TABLES',
    // prettier-ignore
    values: ['TABLE_SCHEMA', 'TABLE_NAME', 'TABLE_TYPE', 'ENGINE', 'TABLE_COLLATION', 'CREATE_OPTIONS', 'TABLE_COMMENT', 'CREATE_TIME'],
    where: 'TABLE_SCHEMA IN (?) AND TABLE_TYPE IN (?)',
  },
  {
    from: 'COLUMNS',
    // prettier-ignore
    values: ['TABLE_SCHEMA', 'TABLE_NAME', 'COLUMN_NAME', 'ORDINAL_POSITION', 'COLUMN_TYPE', 'IS_NULLABLE', 'COLUMN_DEFAULT',
      'COLLATION_NAME', 'EXTRA', 'COLUMN_COMMENT', 'GENERATION_EXPRESSION'],
  },
  {
    from: 'KEY_COLUMN_USAGE',
    // prettier-ignore
    values: ['TABLE_SCHEMA', 'TABLE_NAME', 'CONSTRAINT_NAME', 'COLUMN_NAME', 'ORDINAL_POSITION', 'REFERENCED_TABLE_SCHEMA',
      'REFERENCED_TABLE_NAME', 'REFERENCED_COLUMN_NAME'],
  },
  { from: 'VIEWS', values: ['TABLE_SCHEMA', 'TABLE_NAME', 'VIEW_DEFINITION', 'DEFINER', 'SECURITY_TYPE'] },
];

/** One line that changes whenever something that a crawl reads changes. Sums of hashes are independent of order. */
export async function readFingerprint(session: MysqlSession, databases: string[]): Promise<string> {
  const line: string[] = [];
  for (const { from, values, where = 'TABLE_SCHEMA IN (?)' } of parts) {
    const row = values.map((value) => `QUOTE(${value})`).join(', ');
    const [digest] = await session.query<{ count: number; sum: string | null }>(
      `SELECT COUNT(*) AS count, CAST(SUM(CAST(CONV(LEFT(MD5(CONCAT_WS('|', ${row})), 15), 16, 10) AS UNSIGNED)) AS CHAR) AS sum
       FROM information_schema.${from} WHERE ${where}`,
      [databases, relationTypes],
    );
    line.push(`${digest?.count ?? 0}/${digest?.sum ?? 0}`);
  }
  return line.join(' ');
}
