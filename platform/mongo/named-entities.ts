import type { Db } from 'mongodb';
import type { IncidentEntity } from '#domain/incidents/record.ts';
import { collections } from './collections.ts';
import { TenantCollection } from './tenant-collection.ts';

/** What people call by name. Not columns: they are nine of ten entities, and nobody's monitor names them alone. */
const nameable = [
  ...(['table', 'view', 'materialized_view', 'dataset', 'collection', 'topic', 'file', 'label'] as const),
  ...(['model', 'seed', 'snapshot', 'source', 'exposure', 'metric', 'dashboard', 'report', 'chart'] as const),
  ...(['job', 'pipeline', 'task'] as const),
];

/** Names are compared without regard to case. */
const collation = { locale: 'en', strength: 2 } as const;
/** Entities of one name that are looked at: `orders` may be in every schema. */
const mostCandidates = 500;

export type NamedEntities = ReturnType<typeof namedEntities>;

/** Finds living entities by what they are called, wherever they are. */
export function namedEntities(db: Db) {
  const { entities } = collections(db);
  return {
    async called(tenantId: string, names: string[]): Promise<IncidentEntity[]> {
      if (names.length === 0) return [];
      const found = await new TenantCollection(entities, tenantId)
        .find({ entity_type: { $in: nameable }, 'attributes.name': { $in: names }, deleted: false }, { collation })
        .project<Pick<IncidentEntity, 'entity_type' | 'qualified_name'> & { _id: string }>({
          entity_type: 1,
          qualified_name: 1,
        })
        .limit(mostCandidates)
        .toArray();
      return found.map(({ _id, entity_type, qualified_name }) => ({ metadata_id: _id, entity_type, qualified_name }));
    },
  };
}

/** Creates the index of names; harmless to repeat. It leaves out columns, so that a crawl hardly notices it. */
export async function ensureNameIndex(db: Db): Promise<void> {
  await collections(db).entities.createIndex(
    { tenant_id: 1, 'attributes.name': 1 },
    { name: 'nameable', collation, partialFilterExpression: { entity_type: { $in: nameable } } },
  );
}
