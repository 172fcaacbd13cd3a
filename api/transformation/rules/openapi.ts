import type { Description } from '../../openapi/document.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter } from '../../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../../openapi/schema-components.ts';
import { ruleSetSchema } from '#domain/transformation/rules/schema.ts';
import { ruleSetListSchema, rulesQuery, ruleSetViewSchema, trialSchema, tryRulesSchema } from './schemas.ts';

const version = pathParameter('version', 'The number of the version', { type: 'integer', minimum: 1 });
const tag = 'transformation';

const example = {
  rules: [
    { name: 'mask-mail', kind: 'mask', path: 'owner_email', method: 'hash' },
    { name: 'tag-pii', kind: 'tag', tags: ['pii'], on: 'name', pattern: '(?i)e-?mail|phone' },
  ],
  tests: [
    {
      given: { entity_type: 'column', attributes: { name: 'phone' } },
      expect: { attributes: { name: 'phone', tags: ['pii'] } },
    },
  ],
};

/** The addresses of transformation rules, for the API's description. */
export const ruleDescription: Description = {
  paths: {
    '/v1/transformation-rules': {
      get: operation({
        id: 'listTransformationRules',
        tag,
        role: 'reader',
        summary: 'The versions of the rules, and which one is active',
        parameters: queryParameters(rulesQuery),
        responses: { 200: answers('A page of versions, the newest first', 'RuleSetList') },
        problems: ['invalid-input'],
      }),
      put: operation({
        id: 'draftTransformationRules',
        tag,
        role: 'operator',
        summary: 'Keep a whole set of rules as a new version',
        description: 'A version never changes, and does nothing until it is activated.',
        body: jsonRequest(schemaRef('RuleSetDraft'), { mask: example }),
        responses: { 201: answers('The version', 'RuleSet', { Location: headerRef('Location') }) },
        problems: ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'],
      }),
    },
    '/v1/transformation-rules/{version}': {
      get: operation({
        id: 'getTransformationRules',
        tag,
        role: 'reader',
        summary: 'A version of the rules',
        parameters: [version],
        responses: { 200: answers('The version', 'RuleSet') },
        problems: ['not-found'],
      }),
    },
    '/v1/transformation-rules/{version}/test': {
      post: operation({
        id: 'testTransformationRules',
        tag,
        role: 'operator',
        summary: 'Try a version: on its own examples, on records, on what arrived last',
        description: 'Nothing is kept. For each record: before, after, what differs, and which rule did it.',
        parameters: [version],
        body: jsonRequest(schemaRef('TryRules'), { last: { sample: { from: 'raw-records', limit: 20 } } }),
        responses: { 200: answers('What it would do', 'RuleTrial') },
        problems: ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type', 'not-found'],
      }),
    },
    '/v1/transformation-rules/{version}/activate': {
      post: operation({
        id: 'activateTransformationRules',
        tag,
        role: 'admin',
        summary: 'Switch a version on; an older one too',
        description:
          'It holds for every batch that lands from then on, through every door. Refused unless all examples of the version hold.',
        parameters: [version],
        responses: { 200: answers('The version', 'RuleSet') },
        problems: ['not-found', 'conflict'],
      }),
    },
  },
  components: {
    ...schemaComponents({ RuleSetDraft: ruleSetSchema, TryRules: tryRulesSchema }, 'input'),
    ...schemaComponents(
      { RuleSet: ruleSetViewSchema, RuleSetList: ruleSetListSchema, RuleTrial: trialSchema },
      'output',
    ),
  },
};
