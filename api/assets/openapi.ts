import { limits } from '#domain/limits.ts';
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
import { entityQuery, lineageQuery, listQuery, versionsQuery } from './queries.ts';
import { assetInputs, assetOutputs } from './schemas.ts';

const id = pathParameter('id', 'The metadata id');
const writeParameters = [
  { $ref: '#/components/parameters/prefer' },
  { $ref: '#/components/parameters/idempotencyKey' },
];
const ifMatch = headerParameter('If-Match', 'The ETag that the entity must still have: `"3"`, a list, or `*`');
const writeHeaders = {
  Location: headerRef('Location'),
  'Lily-Record-Id': headerRef('LilyRecordId'),
  Link: headerRef('Link'),
  'Preference-Applied': headerRef('PreferenceApplied'),
  'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
};
const writeProblems = ['invalid-input', 'conflict', 'idempotency-key-reused'] as const;
const bodyProblems = ['malformed-json', 'tenant-mismatch', 'body-too-large', 'unsupported-media-type'] as const;

const accepted = answers('Durable, and on its way', 'Accepted', writeHeaders);
const applied = answers('Applied (with `Prefer: wait`): a read after this sees it', 'Applied', writeHeaders);
const oneOrMany = (one: string) => ({ oneOf: [schemaRef(one), schemaRef('BatchResult')] });

const example = {
  entity_type: 'table',
  attributes: { name: 'orders', description: 'One row an order', created_by: 'ada', tags: ['sales', 'pii'] },
};

/** The addresses of api/assets, for the API's description. */
export const assetPaths: Record<string, PathItem> = {
  '/ingest-metadata': {
    post: operation({
      id: 'ingestMetadata',
      tag: 'assets',
      role: 'editor',
      summary: 'Create or replace an entity, or up to 1,000',
      description: [
        'A record is acknowledged when it is durable in Kafka. The same tenant, type and qualified name always give the same id.',
        `An array of 1 to ${limits.recordsPerRequest} records gets a result for each, in its order; records that are wrong do not stop the others.`,
        'When not one record of an array was accepted, the answer is a problem that carries `results`; its status is the one that all items share, or 400.',
        `One record may have ${limits.recordBytes} bytes, the body ${limits.requestBytes}.`,
      ].join('\n\n'),
      parameters: writeParameters,
      body: jsonRequest(
        {
          oneOf: [
            schemaRef('IngestBody'),
            { type: 'array', items: schemaRef('IngestBody'), minItems: 1, maxItems: limits.recordsPerRequest },
          ],
        },
        { one: example, many: [example] },
      ),
      responses: {
        200: answers('Applied (with `Prefer: wait`): a read after this sees it', oneOrMany('Applied'), writeHeaders),
        202: answers('Durable, and on its way', oneOrMany('Accepted'), writeHeaders),
      },
      problems: [...writeProblems, ...bodyProblems],
    }),
  },
  '/metadata/{id}': {
    get: operation({
      id: 'getMetadata',
      tag: 'assets',
      role: 'reader',
      summary: 'An entity, now or as of a moment',
      parameters: [
        id,
        ...queryParameters(entityQuery),
        headerParameter('If-None-Match', 'Answer 304 while the ETag is this one'),
      ],
      responses: {
        200: answers('The entity', 'Entity', { ETag: headerRef('ETag') }),
        304: { description: 'Your copy is current' },
      },
      problems: ['invalid-input', 'not-found'],
    }),
    put: operation({
      id: 'replaceMetadata',
      tag: 'assets',
      role: 'editor',
      summary: "Replace an entity's whole content",
      description:
        'Type and qualified name may be repeated, not changed. `If-Match` is checked at once, and again when the record is applied.',
      parameters: [id, ifMatch, ...writeParameters],
      body: jsonRequest(schemaRef('ReplaceBody'), { describe: { attributes: example.attributes } }),
      responses: { 200: applied, 202: accepted },
      problems: [...writeProblems, ...bodyProblems, 'not-found', 'version-mismatch'],
    }),
    delete: operation({
      id: 'deleteMetadata',
      tag: 'assets',
      role: 'editor',
      summary: 'Delete an entity; its history stays',
      parameters: [id, ifMatch, ...writeParameters],
      responses: { 200: applied, 202: accepted },
      problems: [...writeProblems, 'not-found', 'version-mismatch'],
    }),
  },
  '/v1/metadata': {
    get: operation({
      id: 'listMetadata',
      tag: 'assets',
      role: 'reader',
      summary: 'The entities of a tenant, by type and qualified name',
      parameters: queryParameters(listQuery),
      responses: { 200: answers('One page', 'EntityPage') },
      problems: ['invalid-input'],
    }),
  },
  '/v1/metadata/{id}/versions': {
    get: operation({
      id: 'listVersions',
      tag: 'assets',
      role: 'reader',
      summary: 'The history of an entity, newest first, also of a deleted one',
      parameters: [id, ...queryParameters(versionsQuery)],
      responses: { 200: answers('One page', 'VersionPage', { Link: headerRef('Link') }) },
      problems: ['invalid-input', 'not-found'],
    }),
  },
  '/v1/metadata/{id}/lineage': {
    get: operation({
      id: 'getLineage',
      tag: 'assets',
      role: 'reader',
      summary: 'What an entity is made from, or what is made from it',
      description: `At most ${limits.lineageNodes} nodes; \`truncated\` says when there are more.`,
      parameters: [id, ...queryParameters(lineageQuery)],
      responses: { 200: answers('Nodes and edges, the entity itself at distance 0', 'Lineage') },
      problems: ['invalid-input', 'not-found'],
    }),
  },
  '/v1/records/{id}': {
    get: operation({
      id: 'getRecord',
      tag: 'assets',
      role: 'reader',
      summary: 'What became of an acknowledged record',
      description: 'Known some milliseconds after the acknowledgement.',
      parameters: [pathParameter('id', 'The `Lily-Record-Id` of the write')],
      responses: { 200: answers('Where it is', 'RecordStatus') },
      problems: ['invalid-input', 'not-found'],
    }),
  },
};

export const assetComponents = {
  ...schemaComponents(assetInputs, 'input'),
  ...schemaComponents(assetOutputs, 'output'),
};
