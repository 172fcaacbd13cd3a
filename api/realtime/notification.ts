import type { ChangeEvent } from '#domain/assets/change.ts';
import type { IncidentEvent } from '#domain/incidents/event.ts';
import type { ImpactMessage, IncidentMessage, UpdateMessage } from '#domain/notifications/message.ts';
import type { ImpactEvent } from '#domain/propagation/impact.ts';
import { tenantOfKey, topics } from '#domain/topics.ts';
import type { LogMessage } from '#platform/kafka/notification-log.ts';

/** A notification that has no id yet: the id says where its reader is. */
export type Notification = Omit<UpdateMessage, 'id'> | Omit<ImpactMessage, 'id'> | Omit<IncidentMessage, 'id'>;

const types = { [topics.changes]: 'update', [topics.impacts]: 'impact', [topics.incidents]: 'incident' } as const;

/** A message of the log, read no further than somebody needs it. */
export class Incoming {
  readonly message: LogMessage;
  readonly tenantId: string;
  /** The entity that it is about; of an incident, the incident. */
  readonly entityId: string;
  readonly type: Notification['type'];
  #notification: Notification | 'unreadable' | undefined;

  constructor(message: LogMessage) {
    this.message = message;
    this.tenantId = tenantOfKey(message.key);
    this.entityId = message.key.slice(this.tenantId.length + 1);
    this.type = types[message.topic];
  }

  /** Parsed on first use; undefined when it is not an event of ours. */
  get notification(): Notification | undefined {
    this.#notification ??= this.#tryParse();
    return this.#notification === 'unreadable' ? undefined : this.#notification;
  }

  #tryParse(): Notification | 'unreadable' {
    try {
      return this.#parse();
    } catch {
      return 'unreadable';
    }
  }

  #parse(): Notification {
    const text = this.message.value.toString();
    if (this.type === 'update') {
      const { data } = JSON.parse(text) as ChangeEvent;
      const { metadata_id, entity_type, change, timestamp, version } = data;
      return { type: 'update', metadata_id, entity_type, change, timestamp, version };
    }
    if (this.type === 'incident') return incidentOf((JSON.parse(text) as IncidentEvent).data);
    const { data } = JSON.parse(text) as ImpactEvent;
    const { metadata_id, entity_type, causes, timestamp } = data;
    return { type: 'impact', metadata_id, entity_type, causes, timestamp };
  }
}

function incidentOf(data: IncidentEvent['data']): Omit<IncidentMessage, 'id'> {
  const { incident_id, changes, state, severity, title, entities, affected_count, escalation_level, notify } = data;
  return {
    type: 'incident',
    incident_id,
    changes,
    state,
    severity,
    title,
    metadata_ids: entities.map(({ metadata_id }) => metadata_id),
    affected_count,
    escalation_level,
    notify,
    timestamp: data.updated_at,
  };
}

/** The text that goes over the wire. The documented order of fields: type, id, and the rest. */
export function serialize({ type, ...rest }: Notification, id: string): string {
  return JSON.stringify({ type, id, ...rest });
}
