import type { SourceRecord } from '../../source.ts';
import {
  readColumns,
  readKeyColumns,
  readRelations,
  readRelationTypes,
  readViews,
  readViewUsage,
  type ViewRow,
} from './catalog.ts';
import type { MysqlSession } from './connection.ts';
import { keysOf, relationRecords, type RelationFacts } from './records.ts';
import { relationsOf, type RelationName } from './view-lineage.ts';

/** The records of some relations of one database, in the order of their names. A handful of queries, however many there are. */
export async function readRelationRecords(
  session: MysqlSession,
  root: string,
  database: string,
  names: string[],
): Promise<SourceRecord[]> {
  if (names.length === 0) return [];
  const relations = await readRelations(session, database, names);
  const columns = Map.groupBy(await readColumns(session, database, names), (row) => row.relation);
  const keys = Map.groupBy(await readKeyColumns(session, database, names), (row) => row.relation);
  const viewNames = relations.filter(({ type }) => type === 'VIEW').map(({ name }) => name);
  const views = viewNames.length === 0 ? [] : await readViews(session, database, viewNames);
  const sources = await readViewSources(session, database, views);
  return relations.flatMap((relation) =>
    relationRecords(relation, {
      root,
      database,
      columns: columns.get(relation.name) ?? [],
      keys: keysOf(keys.get(relation.name) ?? []),
      view: views.find(({ name }) => name === relation.name),
      sources: sources.get(relation.name),
    }),
  );
}

/** What each view is made from: as the server keeps it, or else from the view's definition. */
async function readViewSources(
  session: MysqlSession,
  database: string,
  views: ViewRow[],
): Promise<Map<string, NonNullable<RelationFacts['sources']>>> {
  const named = new Map<string, RelationName[]>();
  if (session.server.engine === 'MySQL' && views.length > 0) {
    const rows = await readViewUsage(
      session,
      database,
      views.map(({ name }) => name),
    );
    const usage = Map.groupBy(rows, (row) => row.view);
    for (const { name, definition } of views)
      if (isVisible(definition) || usage.has(name)) named.set(name, usage.get(name) ?? []);
  } else {
    for (const { name, definition } of views) if (isVisible(definition)) named.set(name, relationsOf(definition));
  }
  const types = await readRelationTypes(session, [...named.values()].flat());
  return new Map(
    [...named].map(([view, relations]) => {
      const typed = relations.map((relation) => ({
        relation,
        type: types.get(relation.database)?.get(relation.name),
      }));
      const known = typed.flatMap(({ relation, type }) => (type === undefined ? [] : [{ relation, type }]));
      const hidden = typed.flatMap(({ relation, type }) => (type === undefined ? [relation] : []));
      return [view, { known, hidden }];
    }),
  );
}

function isVisible(definition: string | null): definition is string {
  return definition !== null && definition !== '';
}
