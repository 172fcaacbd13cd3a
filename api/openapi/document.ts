import { limits } from '#domain/limits.ts';
import { assetComponents, assetPaths } from '../assets/openapi.ts';
import { problemSchema } from '../http/problem-schema.ts';
import { operationsComponents, operationsPaths } from '../operations/openapi.ts';
import { realtimeComponents, realtimePaths } from '../realtime/openapi.ts';
import { ingestSocketDescription } from '../streams/openapi.ts';
import { header, headerParameter, type PathItem } from './operation.ts';
import { schemaComponents, type JsonSchema } from './schema-components.ts';

/** What a folder of the API adds to its description. */
export interface Description {
  paths: Record<string, PathItem>;
  components?: Record<string, JsonSchema>;
}

/** The API's description as OpenAPI 3.1, made from the schemas that validate. */
export function openApiDocument(...more: Description[]): JsonSchema {
  const parts: Description[] = [
    { paths: assetPaths, components: assetComponents },
    ...more,
    { paths: realtimePaths, components: realtimeComponents },
    ingestSocketDescription,
    { paths: operationsPaths, components: operationsComponents },
  ];
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lily',
      version: '1',
      summary: 'Multi-tenant active metadata',
      description:
        'The tenant and the roles come from the token. Errors are problem documents (RFC 9457) with a stable `code`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [
      { name: 'assets', description: 'Entities, their history and lineage' },
      { name: 'ingestion', description: 'Runs that read a source' },
      { name: 'lineage', description: 'OpenLineage in, and lineage as clients of Marquez expect it' },
      { name: 'access', description: 'Who may do what' },
      { name: 'incidents', description: 'What is wrong, and who sees to it' },
      { name: 'integrations', description: 'Which foreign systems may speak to Lily' },
      { name: 'streams', description: 'What flows in without end: sockets and topics' },
      { name: 'transformation', description: 'Rules that records go through, and records that did not' },
      { name: 'webhooks', description: 'What others send by themselves' },
      { name: 'notifications', description: 'What changes, as it changes' },
      { name: 'operations', description: 'Health of this process' },
    ],
    paths: Object.assign({}, ...parts.map(({ paths }) => paths)) as Record<string, PathItem>,
    components: {
      schemas: Object.assign(
        schemaComponents({ Problem: problemSchema }, 'output'),
        ...parts.map(({ components }) => components),
      ) as JsonSchema,
      parameters,
      headers,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A token of the OpenID provider, or an API key',
        },
      },
    },
  };
}

const parameters = {
  traceparent: headerParameter('traceparent', 'W3C Trace Context: continues your trace'),
  prefer: headerParameter(
    'Prefer',
    `\`wait=N\`: wait up to N seconds (at most ${limits.waitSeconds}) until it is applied`,
  ),
  idempotencyKey: headerParameter(
    'Idempotency-Key',
    `The write is done once for the key, and repeated requests get the same answer, for ${limits.idempotencyHours} hours`,
    { type: 'string', minLength: 1, maxLength: limits.idempotencyKeyLength },
  ),
};

const headers = {
  traceparent: header('The trace that this request belongs to'),
  ETag: header('The version in quotes'),
  Location: header('Where the entity is'),
  LilyRecordId: header('The id under which the record is followed'),
  Link: header('`rel="status"`: where the record is followed; `rel="next"`: the next page'),
  PreferenceApplied: header('The `wait` that was honoured'),
  IdempotencyReplayed: header('`true` when this answer was given before'),
};
