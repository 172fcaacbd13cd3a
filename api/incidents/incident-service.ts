import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { defaultIncidentPolicy, type IncidentPolicy } from '#domain/incidents/policy.ts';
import type { Assignment, IncidentUpdateName, TimelineEntry } from '#domain/incidents/record.ts';
import type { IncidentPolicies } from '#platform/mongo/incident-policies.ts';
import type { IncidentFilter, Incidents, KeptIncident } from '#platform/mongo/incidents.ts';
import type { IncidentReports } from '#platform/temporal/incidents.ts';
import { inTime } from '../http/outage.ts';
import type { IncidentControl } from './incident-control.ts';
import type { openIncidentSchema } from './schemas.ts';

export interface IncidentServiceDeps {
  incidents: Incidents;
  policies: IncidentPolicies;
  reports: IncidentReports;
  control: IncidentControl;
}

/** How long an opened incident is waited for: a worker needs well under a second. */
const openingMs = 5_000;
const pollMs = 50;

/** Reads incidents where their workflows keep them, and acts on them through their workflows. */
export class IncidentService {
  readonly #deps: IncidentServiceDeps;

  constructor(deps: IncidentServiceDeps) {
    this.#deps = deps;
  }

  /** Opens an incident by hand. Undefined when it is sure to come, but no worker has taken it up yet. */
  async open(
    { tenantId, userId }: Principal,
    { title, severity, kind, entities, comment, url }: z.infer<typeof openIncidentSchema>,
    id: string,
  ): Promise<{ incidentId: string; kept: KeptIncident | undefined }> {
    const { incidentId } = await inTime(
      'Temporal',
      this.#deps.reports.report(tenantId, {
        report_id: id,
        source: 'manual',
        key: id,
        title,
        severity,
        kind,
        entities,
        occurred_at: new Date().toISOString(),
        status: 'open',
        details: { opened_by: userId },
        ...(comment !== undefined && { comment }),
        ...(url !== undefined && { url }),
      }),
    );
    if (incidentId === undefined) throw new LilyError('internal', 'an incident was opened without an id');
    for (const deadline = Date.now() + openingMs; Date.now() < deadline; await sleep(pollMs)) {
      const kept = await inTime('MongoDB', this.#deps.incidents.get(tenantId, incidentId));
      if (kept !== undefined) return { incidentId, kept };
    }
    return { incidentId, kept: undefined };
  }

  async list(tenantId: string, filter: IncidentFilter): Promise<KeptIncident[]> {
    return inTime('MongoDB', this.#deps.incidents.list(tenantId, filter));
  }

  /** @throws LilyError `not-found`, for another tenant's incident as for none */
  async get(tenantId: string, incidentId: string): Promise<KeptIncident> {
    const found = await inTime('MongoDB', this.#deps.incidents.get(tenantId, incidentId));
    if (found === undefined) throw new LilyError('not-found', 'There is no such incident.');
    return found;
  }

  /** The incident's story, the newest line first. */
  async timeline(
    tenantId: string,
    incidentId: string,
    page: { before?: number | undefined; limit: number },
  ): Promise<TimelineEntry[]> {
    return inTime('MongoDB', this.#deps.incidents.timeline(tenantId, incidentId, page));
  }

  /** @throws LilyError `not-found`; `conflict` when the incident's state does not allow it */
  async act(
    { tenantId, userId }: Principal,
    incidentId: string,
    update: IncidentUpdateName,
    action: Omit<Assignment, 'by' | 'incident_id'>,
  ): Promise<KeptIncident> {
    const { workflowId } = await this.get(tenantId, incidentId);
    const now = await this.#deps.control.act(workflowId, update, { ...action, by: userId, incident_id: incidentId });
    return { incident: now, workflowId };
  }

  async policy(tenantId: string): Promise<IncidentPolicy> {
    return (await inTime('MongoDB', this.#deps.policies.get(tenantId))) ?? defaultIncidentPolicy;
  }

  async putPolicy({ tenantId, userId }: Principal, policy: IncidentPolicy): Promise<IncidentPolicy> {
    await inTime('MongoDB', this.#deps.policies.put(tenantId, policy, userId));
    return policy;
  }
}
