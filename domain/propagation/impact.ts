import type { CloudEvent } from '../assets/change.ts';
import type { ChangeKind } from '../assets/entity.ts';

/** One change upstream that concerns an entity. */
export interface ImpactCause {
  metadata_id: string;
  version: number;
  change: ChangeKind;
  /** Hops from the changed entity to the affected one; the shortest way counts. */
  distance: number;
}

/** What `lily.impacts` says of one affected entity. */
export interface ImpactData {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
  /** The changes that concern it, nearest first; at most {@link maxCauses}. */
  causes: ImpactCause[];
  /** Whether more changes than those listed concern it. */
  more_causes: boolean;
  timestamp: string;
  workflow_id: string;
}

export const maxCauses = 20;

export type ImpactEvent = CloudEvent<'lily.impact.v1', ImpactData>;

/** The event's id is made of the propagation and the affected entity, so a retry repeats it. */
export function impactEvent(tenant: string, propagationId: string, data: ImpactData): ImpactEvent {
  return {
    specversion: '1.0',
    id: `${propagationId}:${data.metadata_id}`,
    source: '/lily',
    type: 'lily.impact.v1',
    subject: data.metadata_id,
    time: data.timestamp,
    datacontenttype: 'application/json',
    tenant,
    data,
  };
}

/** Starts `propagateChanges`: follow the changes of one batch downstream. */
export interface PropagationRequest {
  tenantId: string;
  batchId: string;
  /** Changed entities that something depends on. */
  roots: number;
}

export interface PropagationResult {
  roots: number;
  affected: number;
}
