import { z } from 'zod';
import { incidentStates, severities } from '#domain/incidents/incident.ts';
import { incidentChanges } from '#domain/incidents/record.ts';
import { answers, headerParameter, operation, type PathItem } from '../openapi/operation.ts';
import { queryParameters, schemaComponents } from '../openapi/schema-components.ts';
import { notificationQuery } from './subscription.ts';

const id = z.string().meta({ description: 'Opaque. Connect with it as `last_id`, and you miss nothing after it' });
const subject = { id, metadata_id: z.string(), entity_type: z.string(), timestamp: z.iso.datetime() };

const notification = z.union([
  z.object({ type: z.literal('hello'), id }),
  z.object({
    type: z.literal('update'),
    ...subject,
    change: z.enum(['created', 'updated', 'deleted']),
    version: z.int(),
  }),
  z.object({
    type: z.literal('impact'),
    ...subject,
    causes: z.array(
      z.object({
        metadata_id: z.string(),
        version: z.int(),
        change: z.enum(['created', 'updated', 'deleted']),
        distance: z.int(),
      }),
    ),
  }),
  z.object({
    type: z.literal('incident'),
    id,
    incident_id: z.string(),
    changes: z.array(z.enum(incidentChanges)).meta({ description: 'What has just happened to it' }),
    state: z.enum(incidentStates),
    severity: z.enum(severities),
    title: z.string(),
    metadata_ids: z.array(z.string()).meta({ description: 'What it is about' }),
    affected_count: z.int(),
    escalation_level: z.int(),
    notify: z.array(z.string()).meta({ description: 'Whom an escalation tells' }),
    timestamp: z.iso.datetime(),
  }),
  z.object({ type: z.literal('gap'), id, detail: z.string() }),
]);

export const realtimePaths: Record<string, PathItem> = {
  '/ws/notifications': {
    get: operation({
      id: 'notifications',
      tag: 'notifications',
      role: 'reader',
      summary: 'A WebSocket with every change of your entities, and whom it concerns',
      description: [
        'Upgrade to a WebSocket. The token comes by `Authorization`, by the subprotocols `bearer, <token>`, or as `access_token`.',
        'The first message is `hello`. With `last_id`, everything after that message follows, then what happens live, without a gap or a repetition; `gap` says when some of it is no longer kept.',
        'Close codes: 1001 Lily restarts, 1013 you read too slowly (both: come back with `last_id`), 4400 `last_id` is not an id, 4401 the token has expired.',
      ].join('\n\n'),
      parameters: [
        ...queryParameters(notificationQuery),
        headerParameter('Sec-WebSocket-Protocol', '`bearer, <token>`, where no other header can be sent'),
      ],
      responses: {
        101: answers('The socket is open; each message is a Notification in JSON', 'Notification'),
      },
      problems: ['invalid-input', 'not-found', 'rate-limited'],
    }),
  },
};

export const realtimeComponents = schemaComponents({ Notification: notification }, 'output');
