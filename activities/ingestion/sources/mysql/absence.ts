import { splitQualifiedName } from '../shared/names.ts';
import type { MysqlSession } from './connection.ts';

/** What the server says about a name: it is there and may be read, it is not there, or that is none of our business. */
type Answer = 'there' | 'absent' | 'unknown';

const absent = ['ER_NO_SUCH_TABLE', 'ER_BAD_DB_ERROR', 'ER_UNKNOWN_TABLE'];

const nobodysTable = 'lily asks for a table that nobody has';

/**
 * Finds out whether what a crawl did not see is gone. The catalogue shows a user only what it may see, so what lost its grant
 * looks exactly like what was dropped; but a server tells a user who may read something that it does not exist, and one who
 * may not that it may not.
 */
export class Absence {
  readonly #session: MysqlSession;
  readonly #answers = new Map<string, Answer>();

  constructor(session: MysqlSession) {
    this.#session = session;
  }

  /** Whether a complete reading would have shown the entity, had it been there. */
  async isProven({ entity_type, qualified_name }: { entity_type: string; qualified_name: string }): Promise<boolean> {
    const [, database, relation] = splitQualifiedName(qualified_name);
    if (database === undefined) return false;
    if (relation === undefined) return this.#isDatabaseGone(database);
    // Preparing it checks the grants for every column and runs nothing.
    const answer = await this.#ask(`SELECT * FROM ${quote(database)}.${quote(relation)}`);
    if (entity_type === 'column') return answer !== 'unknown';
    // Still there, and yet not seen: it is of another kind than it was, or has come meanwhile.
    return answer === 'absent' || (answer === 'there' && (await this.#isOther(database, relation, entity_type)));
  }

  /** A user who is told that a table of the database does not exist may see the database, were it there. */
  async #isDatabaseGone(database: string): Promise<boolean> {
    if ((await this.#ask(`SELECT * FROM ${quote(database)}.${quote(nobodysTable)}`)) !== 'absent') return false;
    const rows = await this.#session.query('SELECT 1 AS there FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?', [
      database,
    ]);
    return rows.length === 0;
  }

  async #isOther(database: string, relation: string, entityType: string): Promise<boolean> {
    const [row] = await this.#session.query<{ type: string }>(
      'SELECT TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
      [database, relation],
    );
    return row !== undefined && (row.type === 'VIEW') !== (entityType === 'view');
  }

  async #ask(sql: string): Promise<Answer> {
    const known = this.#answers.get(sql);
    if (known !== undefined) return known;
    const refusal = await this.#session.refusalOf(sql);
    const answer = refusal === undefined ? 'there' : absent.includes(refusal) ? 'absent' : 'unknown';
    this.#answers.set(sql, answer);
    return answer;
  }
}

function quote(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}
