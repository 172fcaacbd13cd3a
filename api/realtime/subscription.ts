import { z } from 'zod';
import { entityTypeSchema, metadataIdSchema } from '#domain/assets/record.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import type { Incoming } from './notification.ts';

const mostValues = 100;

function listOf(item: z.ZodType<string, string>) {
  return z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(item).max(mostValues, `may list at most ${mostValues}`));
}

/** The query of `/ws/notifications`. Lists are separated by commas. */
export const notificationQuery = z.strictObject({
  access_token: z.string().optional().meta({ description: 'The bearer token, where no header can be sent' }),
  last_id: z
    .string()
    .max(4_096)
    .optional()
    .meta({ description: 'The id of the last message seen: everything after it follows' }),
  entity_type: listOf(entityTypeSchema).optional().meta({ description: 'Only entities of these types' }),
  metadata_id: listOf(metadataIdSchema).optional().meta({ description: 'Only these entities' }),
  types: listOf(z.enum(['update', 'impact', 'incident'], { error: 'must be update, impact or incident' }))
    .optional()
    .meta({ description: 'Only messages of these types' }),
});

/** Which notifications a client wants. */
export interface Subscription {
  entityTypes: ReadonlySet<string> | undefined;
  entityIds: ReadonlySet<string> | undefined;
  types: ReadonlySet<string> | undefined;
}

export interface ConnectRequest {
  token: string | undefined;
  lastId: string | undefined;
  subscription: Subscription;
}

/** @throws InvalidInput naming each parameter that is unknown, doubled or malformed. */
export function parseConnect(parameters: URLSearchParams): ConnectRequest {
  const names = [...parameters.keys()];
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled !== undefined) {
    throw new InvalidInput(`The query parameter ${doubled} is given more than once`, [
      { field: doubled, detail: 'may be given once' },
    ]);
  }
  const parsed = notificationQuery.safeParse(Object.fromEntries(parameters));
  if (!parsed.success) throw invalidInput(parsed.error, 'query');
  const { access_token: token, last_id: lastId, entity_type: types, metadata_id: ids, types: kinds } = parsed.data;
  return { token, lastId, subscription: { entityTypes: setOf(types), entityIds: setOf(ids), types: setOf(kinds) } };
}

/** Looks at what is known without parsing first. */
export function wants({ types, entityIds, entityTypes }: Subscription, incoming: Incoming): boolean {
  if (types !== undefined && !types.has(incoming.type)) return false;
  if (incoming.type === 'incident') return entityTypes === undefined && isAbout(incoming, entityIds);
  if (entityIds !== undefined && !entityIds.has(incoming.entityId)) return false;
  if (entityTypes === undefined) return true;
  const { notification } = incoming;
  return notification !== undefined && 'entity_type' in notification && entityTypes.has(notification.entity_type);
}

/** An incident is of as many entities as it is about; it has no type of entity to ask for. */
function isAbout({ notification }: Incoming, entityIds: ReadonlySet<string> | undefined): boolean {
  if (entityIds === undefined) return true;
  return notification?.type === 'incident' && notification.metadata_ids.some((id) => entityIds.has(id));
}

function setOf(values: string[] | undefined): ReadonlySet<string> | undefined {
  return values === undefined ? undefined : new Set(values);
}
