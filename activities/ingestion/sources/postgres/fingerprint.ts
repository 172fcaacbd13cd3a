import { relationKinds, schemaFilter, type ScopeValues } from './catalog.ts';
import type { Session } from './connection.ts';

/** SQL for a digest of rows: how many there are, and the sum of their hashes. */
const digest = (from: string, ...values: string[]): string =>
  `(SELECT concat_ws('/', count(*), sum(hashtextextended(concat_ws('|', ${values.join(', ')}), 0)::numeric)) FROM ${from})`;

const columns = 'relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0';
const defaults = 'relations r JOIN pg_attrdef d ON d.adrelid = r.oid';
const keys = 'relations r JOIN pg_constraint k ON k.conrelid = r.oid';
const indexes = 'relations r JOIN pg_index i ON i.indrelid = r.oid AND i.indisunique';
const rules = `relations r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename = '_RETURN'`;
const parents = 'relations r JOIN pg_inherits h ON h.inhrelid = r.oid';
const relationComments = `relations r JOIN pg_description t ON t.objoid = r.oid AND t.classoid = 'pg_class'::regclass`;
const schemaComments = `spaces s JOIN pg_description t ON t.objoid = s.oid AND t.classoid = 'pg_namespace'::regclass`;

/**
 * A row that was replaced has another `xmin`, though a later change may have made it what it was: a column that was renamed and
 * renamed back while it was read has shown somebody another name. Rows of `pg_class` are replaced by TRUNCATE and VACUUM FULL
 * too; the row type of a relation is renamed with it, and left alone by those.
 */
const parts = [
  digest('spaces', 'oid', 'nspname', 'nspowner', 'version'),
  digest('relations', 'oid', 'nspname', 'relname', 'relkind', 'relowner', 'relpartbound'),
  digest('relations r JOIN pg_type y ON y.oid = r.reltype', 'y.oid', 'y.xmin'),
  digest(columns, 'a.attrelid', 'a.attnum', 'a.attname', 'a.xmin'),
  digest(defaults, 'd.oid', 'd.xmin'),
  digest(rules, 'w.oid', 'w.xmin'),
  digest(keys, 'k.oid', 'k.conname', 'k.contype', 'k.conkey', 'k.confrelid', 'k.confkey'),
  digest(indexes, 'i.indexrelid', 'i.indkey', 'i.indisvalid'),
  digest(parents, 'h.inhrelid', 'h.inhparent', 'h.inhseqno'),
  digest(relationComments, 't.objoid', 't.objsubid', 't.description'),
  digest(schemaComments, 't.objoid', 't.description'),
];

/**
 * One line that changes whenever something that a crawl reads changes, and not with statistics. Sums of hashes are
 * independent of order and need no memory, however many columns there are.
 */
export async function readFingerprint(session: Session, scope: ScopeValues): Promise<string> {
  const [row] = await session.query<{ line: string }>(
    `WITH spaces AS (SELECT n.oid, n.nspname, n.nspowner, n.xmin AS version FROM pg_namespace n WHERE ${schemaFilter}),
       relations AS (
         SELECT c.*, s.nspname FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace WHERE c.relkind IN ${relationKinds}
       )
     SELECT concat_ws(' ', d.datname, pg_get_userbyid(d.datdba), shobj_description(d.oid, 'pg_database'), ${parts.join(', ')}) AS line
     FROM pg_database d WHERE d.datname = current_database()`,
    scope,
  );
  return row?.line ?? '';
}
