import type { SourceRecord } from '../../source.ts';
import {
  readColumns,
  readColumnNames,
  readKeys,
  readNames,
  readParents,
  readViewRules,
  type ColumnRow,
  type KeyRow,
  type NameRow,
  type ParentRow,
  type RelationRow,
} from './catalog.ts';
import type { Session } from './connection.ts';
import { columnRecord, type ColumnFacts } from './column-record.ts';
import { NameBook } from './name-book.ts';
import { relationRecord } from './relation-record.ts';
import { readLineage, type ViewLineage } from './view-lineage.ts';

/** All that is read about the relations of one page. */
export interface PageFacts {
  names: NameBook;
  columns: Map<number, ColumnRow[]>;
  keys: Map<number, KeyRow[]>;
  parents: Map<number, ParentRow[]>;
  lineage: Map<number, ViewLineage>;
}

/** The records of a page's relations: each relation, followed by its columns. A handful of queries, however many there are. */
export async function relationRecords(
  session: Session,
  root: string,
  relations: RelationRow[],
): Promise<SourceRecord[]> {
  if (relations.length === 0) return [];
  const facts = await readFacts(session, root, relations);
  return relations.flatMap((relation) => {
    const columns = facts.columns.get(relation.oid) ?? [];
    const about = columnFacts(relation, facts);
    return [relationRecord(relation, facts), ...columns.map((column) => columnRecord(relation, column, about))];
  });
}

async function readFacts(session: Session, root: string, relations: RelationRow[]): Promise<PageFacts> {
  const oids = relations.map((relation) => relation.oid);
  const views = relations.filter(({ kind }) => kind === 'v' || kind === 'm').map(({ oid }) => oid);
  const columns = await readColumns(session, oids);
  const keys = await readKeys(session, oids);
  const parents = await readParents(session, oids);
  const lineage = readLineage(views.length === 0 ? [] : await readViewRules(session, views));
  const elsewhere = new Set<number>(keys.map((key) => key.target));
  for (const { parent } of parents) elsewhere.add(parent);
  for (const { relations: read } of lineage.values()) for (const oid of read) elsewhere.add(oid);
  const known = new Set(oids);
  const others = [...elsewhere].filter((oid) => oid !== 0 && !known.has(oid));
  const names: NameRow[] = [...relations, ...(others.length === 0 ? [] : await readNames(session, others))];
  // Only views say anything about single columns elsewhere; keys carry the names of theirs.
  const columnNames = views.length === 0 || others.length === 0 ? [] : await readColumnNames(session, others);
  const own = columns.map(({ relation, attnum, name }) => ({ oid: relation, attnum, name }));
  return {
    names: new NameBook(root, names, [...own, ...columnNames]),
    columns: Map.groupBy(columns, (row) => row.relation),
    keys: Map.groupBy(keys, (row) => row.relation),
    parents: Map.groupBy(parents, (row) => row.relation),
    lineage,
  };
}

function columnFacts(relation: RelationRow, facts: PageFacts): ColumnFacts {
  const keys = facts.keys.get(relation.oid) ?? [];
  const primary = new Set(keys.filter((key) => key.kind === 'p').flatMap((key) => key.columns));
  const unique = new Set(
    keys.filter((key) => key.kind === 'u' && key.columns.length === 1).flatMap((key) => key.columns),
  );
  return {
    names: facts.names,
    primary,
    unique,
    foreign: keys.filter((key) => key.kind === 'f'),
    lineage: facts.lineage.get(relation.oid),
  };
}
