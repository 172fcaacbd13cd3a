import type { Collection, Db } from 'mongodb';
import { incidentWorkflowId, type IncidentState, type Severity } from '#domain/incidents/incident.ts';
import type { Incident, IncidentUpdate, TimelineEntry } from '#domain/incidents/record.ts';
import { decodeKeys, encodeKeys } from './odd-keys.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection, type TenantOperation } from './tenant-collection.ts';

/** An incident as its workflow last told it. `_id` is the incident's id, so incidents are in the order of time. */
interface IncidentDoc {
  _id: string;
  tenant_id: string;
  workflow_id: string;
  incident: Incident;
  /** What it is about and whom it concerns: `incident.entities` and `incident.affected`. */
  entity_ids: string[];
  /** Number of the update; an older one never replaces a newer one. */
  revision: number;
  saved_at: Date;
}

/** `_id` is the incident's id and the entry's number with leading zeros. */
interface EntryDoc extends TimelineEntry {
  _id: string;
  tenant_id: string;
}

/** A report that an incident has taken. `_id` is its workflow's id and the report's. */
interface ClaimDoc {
  _id: string;
  tenant_id: string;
  incident_id: string;
  seq: number;
  claimed_at: Date;
}

/** Reports that have arrived for an incident, each with its number there. */
export interface ReportClaims {
  tenantId: string;
  source: string;
  key: string;
  incidentId: string;
  claims: { reportId: string; seq: number }[];
}

export interface KeptIncident {
  incident: Incident;
  workflowId: string;
}

export interface IncidentFilter {
  state?: IncidentState | undefined;
  severity?: Severity | undefined;
  /** Only incidents that are about the entity, or affect it. */
  entityId?: string | undefined;
  /** Only incidents that were opened before this one. */
  before?: string | undefined;
  limit: number;
}

/** How long a report is known for one that was there: as long as anybody might send it again. */
const claimSeconds = 400 * 24 * 3_600;

export type Incidents = ReturnType<typeof incidents>;

export function incidents(db: Db) {
  const of = (tenantId: string) => new TenantCollection(incidentsOf(db), tenantId);
  const entriesOf = (tenantId: string) => new TenantCollection(timelineOf(db), tenantId);
  const claimsOf = (tenantId: string) => new TenantCollection(claimsIn(db), tenantId);

  return {
    /** Claims reports; answers the numbers of those that no incident had claimed before under another number. */
    async claim({ tenantId, source, key, incidentId, claims }: ReportClaims): Promise<number[]> {
      const now = new Date();
      const documents = claims.map(({ reportId, seq }): ClaimDoc => ({
        _id: claimId(tenantId, source, key, reportId),
        tenant_id: tenantId,
        incident_id: incidentId,
        seq,
        claimed_at: now,
      }));
      await claimsOf(tenantId).insertMany(documents, { ordered: false }).catch(ignoreDuplicates);
      const held = await claimsOf(tenantId)
        .find({ _id: { $in: documents.map(({ _id }) => _id) } })
        .toArray();
      const holders = new Map(held.map((claim) => [claim._id, claim]));
      return documents.flatMap(({ _id, seq }) => {
        const holder = holders.get(_id);
        return holder?.incident_id === incidentId && holder.seq === seq ? [seq] : [];
      });
    },

    /** The incident that took the report, if one has. */
    async claimedBy(tenantId: string, source: string, key: string, reportId: string): Promise<string | undefined> {
      const claim = await claimsOf(tenantId).findOne({ _id: claimId(tenantId, source, key, reportId) });
      return claim?.incident_id;
    },

    /** Keeps the story first, then the incident: who sees it, finds its story. Harmless to repeat. */
    async save({ tenantId, incident, revision, entries }: IncidentUpdate): Promise<void> {
      const lines = entries.map((entry): EntryDoc => ({
        _id: entryId(incident.incident_id, entry.seq),
        tenant_id: tenantId,
        ...encodeKeys(entry),
      }));
      if (lines.length > 0) {
        await entriesOf(tenantId).insertMany(lines, { ordered: false }).catch(ignoreDuplicates);
      }
      const document: IncidentDoc = {
        _id: incident.incident_id,
        tenant_id: tenantId,
        workflow_id: incidentWorkflowId(tenantId, incident.source, incident.key),
        incident,
        entity_ids: [...incident.entities, ...incident.affected].map(({ metadata_id }) => metadata_id),
        revision,
        saved_at: new Date(),
      };
      const replace: TenantOperation<IncidentDoc> = {
        replaceOne: { filter: { _id: document._id, revision: { $lt: revision } }, replacement: document, upsert: true },
      };
      // A newer one is there: the upsert finds its id taken.
      await of(tenantId).bulkWrite([replace]).catch(ignoreDuplicates);
    },

    async get(tenantId: string, incidentId: string): Promise<KeptIncident | undefined> {
      const found = await of(tenantId).findOne({ _id: incidentId });
      return found === null ? undefined : keptOf(found);
    },

    /** Incidents, the newest first. */
    async list(
      tenantId: string,
      { state, severity, entityId, before, limit }: IncidentFilter,
    ): Promise<KeptIncident[]> {
      const found = await of(tenantId)
        .find({
          ...(state !== undefined && { 'incident.state': state }),
          ...(severity !== undefined && { 'incident.severity': severity }),
          ...(entityId !== undefined && { entity_ids: entityId }),
          ...(before !== undefined && { _id: { $lt: before } }),
        })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
      return found.map(keptOf);
    },

    /** The incident's story, the newest line first, below line `before` when that is given. */
    async timeline(
      tenantId: string,
      incidentId: string,
      { before, limit }: { before?: number | undefined; limit: number },
    ): Promise<TimelineEntry[]> {
      const end = before === undefined ? `${incidentId};` : entryId(incidentId, before);
      const found = await entriesOf(tenantId)
        .find({ _id: { $gt: `${incidentId}:`, $lt: end } })
        .sort({ _id: -1 })
        .limit(limit)
        .toArray();
      return found.map(({ _id, tenant_id: _tenant, ...entry }) => decodeKeys(entry));
    },
  };
}

/** Creates the indexes of incidents; harmless to repeat. */
export async function ensureIncidentIndexes(db: Db): Promise<void> {
  const all = incidentsOf(db);
  await Promise.all([
    all.createIndex({ tenant_id: 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, 'incident.state': 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, 'incident.severity': 1, _id: -1 }),
    all.createIndex({ tenant_id: 1, entity_ids: 1, _id: -1 }),
    claimsIn(db).createIndex({ claimed_at: 1 }, { expireAfterSeconds: claimSeconds }),
  ]);
}

function keptOf({ incident, workflow_id: workflowId }: IncidentDoc): KeptIncident {
  return { incident, workflowId };
}

function claimId(tenantId: string, source: string, key: string, reportId: string): string {
  return `${incidentWorkflowId(tenantId, source, key)}\u0000${reportId}`;
}

function entryId(incidentId: string, seq: number): string {
  return `${incidentId}:${String(seq).padStart(8, '0')}`;
}

function ignoreDuplicates(error: unknown): void {
  if (duplicatesOnly(error) === undefined) throw error;
}

function incidentsOf(db: Db): Collection<IncidentDoc> {
  return db.collection('incidents');
}

function timelineOf(db: Db): Collection<EntryDoc> {
  return db.collection('incident_timeline');
}

function claimsIn(db: Db): Collection<ClaimDoc> {
  return db.collection('incident_reports');
}
