import type { Description } from '../../openapi/document.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter } from '../../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../../openapi/schema-components.ts';
import { createdKeySchema, createKeySchema, keyListQuery, keyListSchema, keyViewSchema } from './schemas.ts';

const id = pathParameter('id', "The key's id", { type: 'string', format: 'uuid' });

/** What API keys add to the API's description. */
export const apiKeyDescription: Description = {
  paths: {
    '/v1/api-keys': {
      get: operation({
        id: 'listApiKeys',
        tag: 'access',
        role: 'admin',
        summary: "The tenant's API keys, the newest first",
        parameters: queryParameters(keyListQuery),
        responses: { 200: answers('A page of keys', 'ApiKeyList') },
        problems: ['invalid-input'],
      }),
      post: operation({
        id: 'createApiKey',
        tag: 'access',
        role: 'admin',
        summary: 'Make an API key',
        description:
          'A static bearer key for a client that cannot sign in with the OpenID provider. It is shown in this answer, and never again. Send it as `Authorization: Bearer lily_…`, wherever a token is good.',
        body: jsonRequest(schemaRef('CreateApiKey'), { airflow: { name: 'airflow production', roles: ['editor'] } }),
        responses: { 201: answers('The key', 'CreatedApiKey', { Location: headerRef('Location') }) },
        problems: ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'],
      }),
    },
    '/v1/api-keys/{id}': {
      get: operation({
        id: 'getApiKey',
        tag: 'access',
        role: 'admin',
        summary: 'A key: whose, what it may do, when it was used and ended',
        parameters: [id],
        responses: { 200: answers('The key, without the key itself', 'ApiKey') },
        problems: ['not-found'],
      }),
      delete: operation({
        id: 'revokeApiKey',
        tag: 'access',
        role: 'admin',
        summary: 'Revoke a key',
        description: 'It stops working everywhere within three seconds. Its entry stays, for the record.',
        parameters: [id],
        responses: { 204: { description: 'It is revoked' } },
        problems: ['not-found'],
      }),
    },
  },
  components: {
    ...schemaComponents({ CreateApiKey: createKeySchema }, 'input'),
    ...schemaComponents(
      { ApiKey: keyViewSchema, CreatedApiKey: createdKeySchema, ApiKeyList: keyListSchema },
      'output',
    ),
  },
};
