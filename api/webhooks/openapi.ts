import { limits } from '#domain/limits.ts';
import type { Description } from '../openapi/document.ts';
import { answers, headerParameter, jsonRequest, operation, pathParameter } from '../openapi/operation.ts';
import { schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import {
  deliverySchema,
  endpointListSchema,
  endpointViewSchema,
  endpointWithSecretSchema,
  putEndpointSchema,
  rotateSchema,
  sourceNamePattern,
} from './schemas.ts';

const source = pathParameter('source', 'What you call it, for example `github`', {
  type: 'string',
  pattern: sourceNamePattern.source,
});
const bodyProblems = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;

/** What api/webhooks adds to the API's description. */
export const webhookDescription: Description = {
  paths: {
    '/webhook/{endpoint}': {
      post: operation({
        id: 'receiveWebhook',
        tag: 'webhooks',
        summary: 'Take a signed webhook',
        description: [
          'The body is JSON: an object, or a list of them. Each becomes a record by the mapping of the source, or a report of an incident; what cannot become one becomes a dead letter, and the answer says which. A body that is not JSON is one dead letter.',
          'Signed as Standard Webhooks says, by any secret that holds; the clock may be five minutes off. The same `webhook-id` with the same body again has the same answer, and is applied once.',
          `At most ${limits.webhookBytes} bytes and ${limits.recordsPerRequest} rows.`,
        ].join('\n\n'),
        parameters: [
          pathParameter('endpoint', 'The end of the address that the source was given'),
          headerParameter('webhook-id', 'Names the message, the same over all attempts'),
          headerParameter('webhook-timestamp', 'Seconds since 1970'),
          headerParameter('webhook-signature', '`v1,<base64>`, one or more, separated by spaces'),
        ],
        body: jsonRequest({ oneOf: [{ type: 'object' }, { type: 'array', items: { type: 'object' } }] }),
        responses: { 202: answers('Everything in it is durable', 'WebhookDelivery') },
        problems: ['malformed-json', 'invalid-input', 'bad-signature', 'not-found', 'body-too-large', 'unavailable'],
      }),
    },
    '/v1/integrations/webhooks': {
      get: operation({
        id: 'listWebhooks',
        tag: 'webhooks',
        role: 'reader',
        summary: 'The sources that may post webhooks',
        responses: { 200: answers('All of them, by name', 'WebhookList') },
        problems: ['invalid-input'],
      }),
    },
    '/v1/integrations/webhooks/{source}': {
      get: operation({
        id: 'getWebhook',
        tag: 'webhooks',
        role: 'reader',
        summary: 'A webhook source, without its secrets',
        parameters: [source],
        responses: { 200: answers('The source', 'Webhook') },
        problems: ['not-found', 'invalid-input'],
      }),
      put: operation({
        id: 'putWebhook',
        tag: 'webhooks',
        role: 'admin',
        summary: 'Register a webhook source, or change what is made of its webhooks',
        description:
          'The answer to the first one holds the address and the secret. The secret is never shown again. A mapping that is left out is the default one.',
        parameters: [source],
        body: jsonRequest(schemaRef('PutWebhook'), {
          'default mapping': {},
          incidents: { kind: 'incident' },
          'own mapping': {
            mapping: {
              records: '/changes',
              entity_type: { value: 'table' },
              qualified_name: '/object/path',
              attributes: { name: '/object/name', owner: '/sender/login' },
            },
          },
        }),
        responses: {
          200: answers('The source as it is now', 'Webhook'),
          201: answers('The source is registered', 'WebhookWithSecret'),
        },
        problems: [...bodyProblems, 'conflict'],
      }),
      delete: operation({
        id: 'deleteWebhook',
        tag: 'webhooks',
        role: 'admin',
        summary: 'Take no more webhooks of a source',
        description: 'Its address and its secrets are gone at once, for good.',
        parameters: [source],
        responses: { 204: { description: 'It is gone' } },
        problems: ['not-found', 'invalid-input'],
      }),
    },
    '/v1/integrations/webhooks/{source}/rotate': {
      post: operation({
        id: 'rotateWebhookSecret',
        tag: 'webhooks',
        role: 'admin',
        summary: 'Give a source a new secret',
        description: `Those that hold now go on for as long as you say. At most ${limits.webhookSecrets} hold at a time.`,
        parameters: [source],
        body: jsonRequest(schemaRef('RotateWebhookSecret'), { 'one hour': { keep_previous_seconds: 3_600 } }),
        responses: { 200: answers('With the new secret, which is shown this once', 'WebhookWithSecret') },
        problems: [...bodyProblems, 'not-found', 'conflict'],
      }),
    },
  },
  components: {
    ...schemaComponents({ PutWebhook: putEndpointSchema, RotateWebhookSecret: rotateSchema }, 'input'),
    ...schemaComponents(
      {
        Webhook: endpointViewSchema,
        WebhookWithSecret: endpointWithSecretSchema,
        WebhookList: endpointListSchema,
        WebhookDelivery: deliverySchema,
      },
      'output',
    ),
  },
};
