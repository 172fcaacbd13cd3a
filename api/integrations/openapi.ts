import type { Description } from '../openapi/document.ts';
import { answers, jsonRequest, operation, pathParameter } from '../openapi/operation.ts';
import { schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import { monteCarloListSchema, monteCarloSchema, monteCarloViewSchema } from './schemas.ts';

const account = pathParameter('account_id', 'The account id');
const secret = pathParameter('secret_id', 'The id of a secret, as `GET` shows it', { type: 'string', format: 'uuid' });
const example = { account_id: '9a59c6f1-203a-4c72-8cd7-132db7f21b92', secret: 'dsLzVZ6mKf2Xq0mWgD6zW1cN0hQx' };

/** What api/integrations adds to the API's description. */
export const integrationsDescription: Description = {
  paths: {
    '/v1/integrations/monte-carlo': {
      get: operation({
        id: 'listMonteCarlo',
        tag: 'integrations',
        role: 'admin',
        summary: 'The accounts of Monte Carlo that may send webhooks, without their secrets',
        responses: { 200: answers('The accounts', 'MonteCarloList') },
        problems: ['invalid-input'],
      }),
      put: operation({
        id: 'putMonteCarlo',
        tag: 'integrations',
        role: 'admin',
        summary: 'Let an account of Monte Carlo send webhooks',
        description:
          'A webhook is believed when it is signed with any of the account’s secrets: to rotate, put the new one, change it in Monte Carlo, and delete the old one. An account belongs to one tenant.',
        body: jsonRequest(schemaRef('PutMonteCarlo'), { account: example }),
        responses: { 200: answers('The account as it is now', 'MonteCarlo') },
        problems: ['invalid-input', 'malformed-json', 'conflict', 'body-too-large', 'unsupported-media-type'],
      }),
    },
    '/v1/integrations/monte-carlo/{account_id}': {
      delete: operation({
        id: 'deleteMonteCarlo',
        tag: 'integrations',
        role: 'admin',
        summary: 'Believe no more webhooks of the account',
        parameters: [account],
        responses: { 204: { description: 'It is gone, with its secrets' } },
        problems: ['invalid-input', 'not-found'],
      }),
    },
    '/v1/integrations/monte-carlo/{account_id}/secrets/{secret_id}': {
      delete: operation({
        id: 'deleteMonteCarloSecret',
        tag: 'integrations',
        role: 'admin',
        summary: 'Believe no more webhooks that are signed with this secret',
        parameters: [account, secret],
        responses: { 200: answers('The account as it is now', 'MonteCarlo') },
        problems: ['invalid-input', 'not-found'],
      }),
    },
  },
  components: {
    ...schemaComponents({ PutMonteCarlo: monteCarloSchema }, 'input'),
    ...schemaComponents({ MonteCarlo: monteCarloViewSchema, MonteCarloList: monteCarloListSchema }, 'output'),
  },
};
