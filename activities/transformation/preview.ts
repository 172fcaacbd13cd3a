import type { Entity } from '#domain/assets/entity.ts';
import type { PreviewRecords, Previewed } from '#domain/transformation/preview.ts';
import { metadataId } from '#platform/digest.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { RuleSets } from '#platform/mongo/rule-sets.ts';
import { entityAsOf, planVersions } from './plan-versions.ts';
import { prepare, type PreparedRecord } from './prepare.ts';
import type { RulesOf } from './rules/batch-rules.ts';

export interface PreviewDeps {
  entities: Pick<Entities, 'getMany'>;
  ruleSets: Pick<RuleSets, 'activeVersion'>;
  rules: RulesOf;
}

/** Says what records would do: prepared by the tenant's active rules and planned as batches are, and then left at that. */
export function recordPreview({ entities, ruleSets, rules: rulesOf }: PreviewDeps): PreviewRecords {
  return async (tenantId, actor, records, earlier) => {
    const rules = await rulesOf(tenantId, await ruleSets.activeVersion(tenantId));
    const outcomes = new Map<string, Previewed>();
    const prepared: PreparedRecord[] = [];
    for (const { recordId, record } of records) {
      const { entity_type, qualified_name } = record;
      const raw: RawRecordDoc = {
        _id: recordId,
        tenant_id: tenantId,
        batch_id: '',
        seq: 0,
        entity_id: metadataId(tenantId, entity_type, qualified_name),
        received_at: new Date(),
        door: 'run',
        actor,
        body: JSON.stringify(record),
      };
      const result = prepare(raw, rules);
      if (result.ok) prepared.push(result.record);
      else outcomes.set(recordId, { recordId, outcome: 'rejected', detail: result.letter.detail });
    }
    const stored = await entities.getMany(tenantId, [...new Set(prepared.map(({ entityId }) => entityId))]);
    const bases = new Map<string, Entity>([...stored, ...earlier]);
    const plan = planVersions(tenantId, bases, prepared);
    const after = new Map(bases);
    for (const { record, version } of plan.versions) {
      const { change, changed_fields: changedFields } = version;
      after.set(record.entityId, entityAsOf(version));
      outcomes.set(record.recordId, {
        recordId: record.recordId,
        outcome: change,
        changedFields,
        after: entityAsOf(version),
      });
    }
    for (const { record } of plan.unchanged) {
      const { recordId } = record;
      outcomes.set(recordId, { recordId, outcome: 'unchanged', after: after.get(record.entityId) });
    }
    for (const { record, found } of plan.mismatched) {
      const detail = `The entity has version ${found}, not ${record.expectedVersion}`;
      outcomes.set(record.recordId, { recordId: record.recordId, outcome: 'rejected', detail });
    }
    for (const { record, bytes } of plan.oversized) {
      const detail = `Merged with what is stored, the entity would take ${bytes} bytes`;
      outcomes.set(record.recordId, { recordId: record.recordId, outcome: 'rejected', detail });
    }
    return records.flatMap(({ recordId }) => outcomes.get(recordId) ?? []);
  };
}
