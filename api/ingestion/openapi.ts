import { limits } from '#domain/limits.ts';
import type { Description } from '../openapi/document.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter, type PathItem } from '../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import { dryRunViewSchema } from './dry-run-views.ts';
import type { RunAction } from './run-control.ts';
import { listQuery, runListSchema, runViewSchema, startRunSchema } from './schemas.ts';
import { scheduleComponents, schedulePaths } from './schedule-openapi.ts';
import { sourceComponents, sourcePaths } from './source-openapi.ts';
import { uploadQuery, uploadViewSchema } from './uploads.ts';

const id = pathParameter('id', 'The run id', { type: 'string', format: 'uuid' });

const uploadId = pathParameter('id', 'The object id', { type: 'string', pattern: '^[0-9a-f]{24}$' });
const binary = { type: 'string', format: 'binary' };

const uploadRequest = {
  required: true,
  content: {
    'application/octet-stream': { schema: binary },
    'multipart/form-data': { schema: { type: 'object', properties: { file: binary }, required: ['file'] } },
  },
};

const example = {
  source: {
    type: 'postgres',
    url: 'postgres://reader:password@db.example.org:5432/warehouse?sslmode=require',
    schemas: ['sales*'],
  },
};

const savedExample = { source_id: '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1' };

const fileExample = {
  source: { type: 'file', format: 'csv', object: '66f0c1d2e3a4b5c6d7e8f901', name: 'erp' },
  dry_run: true,
};

const startJson = jsonRequest(schemaRef('StartRun'), { postgres: example, saved: savedExample, file: fileExample });
const startRequest = {
  ...startJson,
  content: {
    ...(startJson['content'] as object),
    'multipart/form-data': {
      schema: {
        type: 'object',
        properties: {
          file: binary,
          source: { type: 'string', contentMediaType: 'application/json' },
          options: { type: 'string', contentMediaType: 'application/json' },
        },
        required: ['file', 'source'],
      },
    },
  },
};

const dryRunId = pathParameter('id', 'The dry run id', { type: 'string', format: 'uuid' });

const actions: Record<RunAction, { summary: string; description: string }> = {
  pause: {
    summary: 'Pause a run',
    description: 'It stops after the page that is being read. Refused unless it is running.',
  },
  resume: { summary: 'Resume a run', description: 'It goes on where it stopped. Refused unless it is paused.' },
  cancel: {
    summary: 'Cancel a run',
    description:
      'Batches that have landed are applied to their end; nothing more is read, and nothing is deleted. Refused when it has ended.',
  },
};

const startedHeaders = {
  Location: headerRef('Location'),
  'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
};

/** The addresses of api/ingestion, for the API's description. */
export const ingestionPaths: Record<string, PathItem> = {
  '/v1/ingestions': {
    get: operation({
      id: 'listIngestions',
      tag: 'ingestion',
      role: 'reader',
      summary: 'The history of runs, the newest first',
      parameters: queryParameters(listQuery),
      responses: { 200: answers('A page of runs', 'RunList') },
      problems: ['invalid-input'],
    }),
    post: operation({
      id: 'startIngestion',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Start a run that reads a source',
      description:
        'The run goes on by itself: look at it where `Location` says, or at its workflow in Temporal. A source is read by one run at a time. Credentials are sealed, and never shown again.\n\nA file is brought as multipart/form-data: the file, `source` (how it is read, as JSON, without `object`) and perhaps `options` (the other fields of a JSON body), in any order.',
      parameters: [{ $ref: '#/components/parameters/idempotencyKey' }, { $ref: '#/components/parameters/prefer' }],
      body: startRequest,
      responses: {
        200: answers('What the run would do (with `dry_run` and `Prefer: wait`)', 'DryRun', startedHeaders),
        202: answers(
          'The run is started; with `dry_run` only a reading of the source, and `Location` says where its findings are',
          { oneOf: [schemaRef('Run'), schemaRef('DryRun')] },
          startedHeaders,
        ),
      },
      problems: [
        ...(['invalid-input', 'malformed-json', 'conflict', 'body-too-large', 'unsupported-media-type'] as const),
        ...(['idempotency-key-reused', 'source-unreachable', 'source-refused', 'rate-limited'] as const),
        'not-found',
      ],
    }),
  },
  '/v1/dry-runs/{id}': {
    get: operation({
      id: 'getDryRun',
      tag: 'ingestion',
      role: 'reader',
      summary: 'What a run would do: counts, and a sample with rows and reasons',
      description: `Kept for ${limits.dryRunHours} hours.`,
      parameters: [dryRunId],
      responses: { 200: answers('The dry run', 'DryRun') },
      problems: ['not-found'],
    }),
  },
  '/v1/dry-runs/{id}/cancel': {
    post: operation({
      id: 'cancelDryRun',
      tag: 'ingestion',
      role: 'operator',
      summary: 'End a dry run',
      parameters: [dryRunId],
      responses: { 200: answers('The dry run as it is now', 'DryRun') },
      problems: ['not-found', 'conflict'],
    }),
  },
  '/v1/uploads': {
    post: operation({
      id: 'storeUpload',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Store a content that later requests refer to',
      description: `The body is the content as it is, or multipart/form-data with one file. At most ${limits.uploadBytes} bytes, within ${limits.uploadMinutes} minutes.`,
      parameters: [...queryParameters(uploadQuery), { $ref: '#/components/parameters/idempotencyKey' }],
      body: uploadRequest,
      responses: {
        201: answers('The content is stored', 'Upload', {
          Location: headerRef('Location'),
          'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
        }),
      },
      problems: ['invalid-input', 'conflict', 'body-too-large', 'unsupported-media-type', 'idempotency-key-reused'],
    }),
  },
  '/v1/uploads/{id}': {
    get: operation({
      id: 'getUpload',
      tag: 'ingestion',
      role: 'reader',
      summary: 'What is known of a stored content',
      parameters: [uploadId],
      responses: { 200: answers('The content', 'Upload') },
      problems: ['not-found'],
    }),
    delete: operation({
      id: 'removeUpload',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Remove a stored content',
      description: 'A run that still reads it fails.',
      parameters: [uploadId],
      responses: { 204: { description: 'It is gone' } },
      problems: ['not-found'],
    }),
  },
  '/v1/ingestions/{id}': {
    get: operation({
      id: 'getIngestion',
      tag: 'ingestion',
      role: 'reader',
      summary: 'A run: its state, how far it is, and why it failed',
      parameters: [id],
      responses: { 200: answers('The run', 'Run') },
      problems: ['not-found'],
    }),
  },
  ...Object.fromEntries(
    Object.entries(actions).map(([action, words]) => [
      `/v1/ingestions/{id}/${action}`,
      {
        post: operation({
          id: `${action}Ingestion`,
          tag: 'ingestion',
          role: 'operator',
          ...words,
          parameters: [id],
          responses: { 200: answers('The run as it is now', 'Run') },
          problems: ['not-found', 'conflict'],
        }),
      },
    ]),
  ),
  '/v1/ingestions/{id}/retry': {
    post: operation({
      id: 'retryIngestion',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Let a run that failed, was cancelled or is degraded go on where it stopped',
      description:
        'In one more attempt of the same run: pages that have landed are not read again. If the source has changed since, it is read once more before anything is deleted.',
      parameters: [id, { $ref: '#/components/parameters/idempotencyKey' }],
      responses: { 202: answers('The run goes on', 'Run', startedHeaders) },
      problems: ['not-found', 'conflict', 'rate-limited', 'source-unreachable', 'source-refused'],
    }),
  },
  '/v1/ingestions/{id}/rerun': {
    post: operation({
      id: 'rerunIngestion',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Start a new run of the source of an old one',
      description:
        'Of the saved source as it is today if the old run was of one, else with the options of the old run.',
      parameters: [id, { $ref: '#/components/parameters/idempotencyKey' }],
      responses: { 202: answers('The new run is started', 'Run', startedHeaders) },
      problems: ['not-found', 'conflict', 'rate-limited', 'source-unreachable', 'source-refused'],
    }),
  },
  ...sourcePaths,
  ...schedulePaths,
};

/** What api/ingestion adds to the API's description. */
export const ingestionDescription: Description = {
  paths: ingestionPaths,
  components: {
    ...schemaComponents({ StartRun: startRunSchema }, 'input'),
    ...sourceComponents,
    ...scheduleComponents,
    ...schemaComponents(
      { Run: runViewSchema, RunList: runListSchema, Upload: uploadViewSchema, DryRun: dryRunViewSchema },
      'output',
    ),
  },
};
