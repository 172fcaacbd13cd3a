import { answers, headerRef, jsonRequest, operation, pathParameter, type PathItem } from '../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import {
  newSourceSchema,
  pageQuery,
  replaceSourceSchema,
  sourceListSchema,
  sourceTestSchema,
  sourceViewSchema,
} from './schemas.ts';

const id = pathParameter('id', 'The id of the saved source', { type: 'string', format: 'uuid' });

const example = {
  name: 'Warehouse',
  source: { type: 'postgres', url: 'postgres://reader:password@db.example.org:5432/warehouse?sslmode=require' },
};

const bodyProblems = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;
const addressProblems = ['source-unreachable', 'source-refused'] as const;

/** The addresses of saved sources. */
export const sourcePaths: Record<string, PathItem> = {
  '/v1/sources': {
    get: operation({
      id: 'listSources',
      tag: 'ingestion',
      role: 'reader',
      summary: 'Saved sources, the newest first',
      parameters: queryParameters(pageQuery),
      responses: { 200: answers('A page of saved sources', 'SavedSourceList') },
      problems: ['invalid-input'],
    }),
    post: operation({
      id: 'createSource',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Save a source, to read it again and again',
      description: 'Its options are sealed for this source of this tenant. Credentials are never shown again.',
      parameters: [{ $ref: '#/components/parameters/idempotencyKey' }],
      body: jsonRequest(schemaRef('NewSource'), { postgres: example }),
      responses: {
        201: answers('The source is saved', 'SavedSource', {
          Location: headerRef('Location'),
          'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
        }),
      },
      problems: [...bodyProblems, ...addressProblems, 'conflict', 'idempotency-key-reused'],
    }),
  },
  '/v1/sources/{id}': {
    get: operation({
      id: 'getSource',
      tag: 'ingestion',
      role: 'reader',
      summary: 'A saved source, without its credentials',
      parameters: [id],
      responses: { 200: answers('The source', 'SavedSource') },
      problems: ['not-found'],
    }),
    put: operation({
      id: 'replaceSource',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Replace a saved source',
      description:
        'Without `source`, only the name changes. A `source` without a password keeps the one that is saved if host, port, database, account and encryption stay the same: for another place it must be given again.',
      parameters: [id],
      body: jsonRequest(schemaRef('ReplaceSource'), { postgres: example, name: { name: 'Warehouse (EU)' } }),
      responses: { 200: answers('The source as it is now', 'SavedSource') },
      problems: [...bodyProblems, ...addressProblems, 'not-found', 'conflict'],
    }),
    delete: operation({
      id: 'deleteSource',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Delete a saved source',
      description: 'Refused while schedules read it. Runs and what they brought stay.',
      parameters: [id],
      responses: { 204: { description: 'It is deleted' } },
      problems: ['not-found', 'conflict'],
    }),
  },
  '/v1/sources/{id}/test': {
    post: operation({
      id: 'testSource',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Try whether a saved source can be read',
      description: 'A worker opens it as a run would, and gives it ten seconds to answer.',
      parameters: [id],
      responses: { 200: answers('Whether it can be read', 'SourceTest') },
      problems: ['not-found'],
    }),
  },
};

/** What saved sources add to the schemas of the API's description. */
export const sourceComponents = {
  ...schemaComponents({ NewSource: newSourceSchema, ReplaceSource: replaceSourceSchema }, 'input'),
  ...schemaComponents(
    { SavedSource: sourceViewSchema, SavedSourceList: sourceListSchema, SourceTest: sourceTestSchema },
    'output',
  ),
};
