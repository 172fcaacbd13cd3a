import { incidentPolicySchema } from '#domain/incidents/policy.ts';
import type { Description } from '../openapi/document.ts';
import {
  answers,
  headerParameter,
  headerRef,
  jsonRequest,
  operation,
  pathParameter,
  type PathItem,
} from '../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import {
  assignSchema,
  commentSchema,
  incidentListSchema,
  incidentViewSchema,
  incidentWithTimelineSchema,
  listQuery,
  noteSchema,
  openIncidentSchema,
  timelineQuery,
  timelineSchema,
  webhookAnswerSchema,
} from './schemas.ts';

const id = pathParameter('id', 'The incident id', { type: 'string', format: 'uuid' });
const once = { $ref: '#/components/parameters/idempotencyKey' };
const replayed = { 'Idempotency-Replayed': headerRef('IdempotencyReplayed') };
const badBody = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;

function action(name: string, schema: string, summary: string, description: string): PathItem {
  return {
    post: operation({
      id: `${name}Incident`,
      tag: 'incidents',
      role: 'editor',
      summary,
      description,
      parameters: [id, once],
      body: jsonRequest(schemaRef(schema)),
      responses: { 200: answers('The incident as it is now', 'Incident', replayed) },
      problems: [...badBody, 'not-found', 'conflict', 'idempotency-key-reused'],
    }),
  };
}

const incidentPaths: Record<string, PathItem> = {
  '/webhook/monte-carlo': {
    post: operation({
      id: 'receiveMonteCarlo',
      tag: 'incidents',
      summary: 'A webhook of Monte Carlo: opens an incident, or joins it',
      description:
        'The tenant is that of the registered account (`account.id`). The same webhook again changes nothing. An unknown account, a missing and a wrong signature are answered alike.',
      parameters: [
        {
          ...headerParameter(
            'x-mcd-signature',
            'Hexadecimal HMAC-SHA512, with the account’s secret, of Python’s `urllib.parse.urlencode(json.loads(body))`',
          ),
          required: true,
        },
      ],
      body: jsonRequest({ type: 'object' }),
      responses: { 200: answers('It is durable', 'MonteCarloAnswer') },
      problems: ['bad-signature', 'body-too-large', 'unavailable'],
    }),
  },
  '/v1/incidents': {
    get: operation({
      id: 'listIncidents',
      tag: 'incidents',
      role: 'reader',
      summary: 'Incidents, the newest first',
      parameters: queryParameters(listQuery),
      responses: { 200: answers('A page of incidents', 'IncidentList') },
      problems: ['invalid-input'],
    }),
    post: operation({
      id: 'openIncident',
      tag: 'incidents',
      role: 'editor',
      summary: 'Open an incident by hand',
      parameters: [once],
      body: jsonRequest(schemaRef('OpenIncident'), {
        late: { title: 'orders is late', severity: 'high', entities: ['sales.orders'] },
      }),
      responses: {
        201: answers('The incident', 'Incident', { Location: headerRef('Location'), ...replayed }),
        202: answers(
          'It is sure to come, but no worker has taken it up yet',
          { type: 'object', properties: { incident_id: { type: 'string', format: 'uuid' } } },
          { Location: headerRef('Location') },
        ),
      },
      problems: [...badBody, 'idempotency-key-reused'],
    }),
  },
  '/v1/incidents/{id}': {
    get: operation({
      id: 'getIncident',
      tag: 'incidents',
      role: 'reader',
      summary: 'An incident: how it stands, whom it concerns, and the newest of its story',
      parameters: [id],
      responses: { 200: answers('The incident', 'IncidentWithTimeline') },
      problems: ['invalid-input', 'not-found'],
    }),
  },
  '/v1/incidents/{id}/timeline': {
    get: operation({
      id: 'getIncidentTimeline',
      tag: 'incidents',
      role: 'reader',
      summary: 'The whole story of an incident, the newest line first',
      parameters: [id, ...queryParameters(timelineQuery)],
      responses: { 200: answers('A page of its story', 'IncidentTimeline') },
      problems: ['invalid-input', 'not-found'],
    }),
  },
  '/v1/incidents/{id}/acknowledge': action(
    'acknowledge',
    'IncidentNote',
    'Take an incident: it escalates no more',
    'Refused unless it is open.',
  ),
  '/v1/incidents/{id}/assign': action(
    'assign',
    'AssignIncident',
    'Give an incident to somebody, or to nobody',
    'Does not acknowledge it. Refused when it is resolved.',
  ),
  '/v1/incidents/{id}/comment': action(
    'comment',
    'CommentIncident',
    'Say something about an incident',
    'Refused when it has been resolved for so long that it can no longer be reopened.',
  ),
  '/v1/incidents/{id}/resolve': action(
    'resolve',
    'IncidentNote',
    'End an incident',
    'A report within `reopen_minutes` of the policy reopens it. Refused when it is resolved already.',
  ),
  '/v1/incident-policy': {
    get: operation({
      id: 'getIncidentPolicy',
      tag: 'incidents',
      role: 'reader',
      summary: 'How incidents escalate while nobody acknowledges them',
      responses: { 200: answers('The policy; the default when none was put', 'IncidentPolicy') },
      problems: ['invalid-input'],
    }),
    put: operation({
      id: 'putIncidentPolicy',
      tag: 'incidents',
      role: 'admin',
      summary: 'Say how incidents escalate',
      description: 'Holds for incidents that are opened or reopened from now on.',
      body: jsonRequest(schemaRef('IncidentPolicy')),
      responses: { 200: answers('The policy', 'IncidentPolicy') },
      problems: [...badBody],
    }),
  },
};

/** What api/incidents adds to the API's description. */
export const incidentsDescription: Description = {
  paths: incidentPaths,
  components: {
    ...schemaComponents(
      {
        OpenIncident: openIncidentSchema,
        IncidentNote: noteSchema,
        AssignIncident: assignSchema,
        CommentIncident: commentSchema,
        IncidentPolicy: incidentPolicySchema,
      },
      'input',
    ),
    ...schemaComponents(
      {
        Incident: incidentViewSchema,
        IncidentList: incidentListSchema,
        IncidentWithTimeline: incidentWithTimelineSchema,
        IncidentTimeline: timelineSchema,
        MonteCarloAnswer: webhookAnswerSchema,
      },
      'output',
    ),
  },
};
