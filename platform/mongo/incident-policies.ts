import type { Collection, Db } from 'mongodb';
import type { IncidentPolicy } from '#domain/incidents/policy.ts';
import { TenantCollection } from './tenant-collection.ts';

interface PolicyDoc extends IncidentPolicy {
  /** The tenant. */
  _id: string;
  tenant_id: string;
  updated_at: Date;
  updated_by: string;
}

export type IncidentPolicies = ReturnType<typeof incidentPolicies>;

/** How each tenant's incidents escalate, where the tenant has said so. */
export function incidentPolicies(db: Db) {
  const all: Collection<PolicyDoc> = db.collection('incident_policies');
  return {
    async get(tenantId: string): Promise<IncidentPolicy | undefined> {
      const found = await new TenantCollection(all, tenantId).findOne({ _id: tenantId });
      return found === null ? undefined : { escalation: found.escalation, reopen_minutes: found.reopen_minutes };
    },

    async put(tenantId: string, { escalation, reopen_minutes }: IncidentPolicy, userId: string): Promise<void> {
      await new TenantCollection(all, tenantId).updateOne(
        { _id: tenantId },
        { $set: { escalation, reopen_minutes, updated_at: new Date(), updated_by: userId } },
        { upsert: true },
      );
    },
  };
}
