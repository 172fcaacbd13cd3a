import type { ChangeKind } from './entity.ts';

/** What `lily.changes` says of one version of one entity. */
export interface ChangeData {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
  change: ChangeKind;
  version: number;
  changed_fields: string[];
  /** When the change took effect, RFC 3339. */
  timestamp: string;
  actor: string;
  record_id: string;
  /** The Temporal workflow that made the change. */
  workflow_id: string;
}

/** A CloudEvents 1.0 envelope in structured JSON, as on `lily.changes` and `lily.impacts`. */
export interface CloudEvent<Type extends string, Data> {
  specversion: '1.0';
  /** The same event always has the same id, over every retry. */
  id: string;
  source: '/lily';
  type: Type;
  subject: string;
  time: string;
  datacontenttype: 'application/json';
  /** CloudEvents extension: the tenant that the event belongs to. */
  tenant: string;
  data: Data;
}

export type ChangeEvent = CloudEvent<'lily.change.v1', ChangeData>;

export function changeEvent(tenant: string, data: ChangeData): ChangeEvent {
  return {
    specversion: '1.0',
    id: `${data.metadata_id}:${data.version}`,
    source: '/lily',
    type: 'lily.change.v1',
    subject: data.metadata_id,
    time: data.timestamp,
    datacontenttype: 'application/json',
    tenant,
    data,
  };
}
