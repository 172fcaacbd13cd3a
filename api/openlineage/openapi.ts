import { limits } from '#domain/limits.ts';
import { eventSchema } from '#domain/openlineage/event.ts';
import type { Description } from '../openapi/document.ts';
import { answers, header, jsonRequest, operation, pathParameter, type PathItem } from '../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef, type JsonSchema } from '../openapi/schema-components.ts';
import {
  batchResultSchema,
  graphQuery,
  graphSchema,
  lineageRunListSchema,
  lineageRunSchema,
  pageQuery,
  runsQuery,
} from './schemas.ts';

const bodyProblems = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;
const namespace = pathParameter('namespace', 'The namespace, URL-encoded');
const job = pathParameter('job', "The job's name, URL-encoded");
const runId = pathParameter('id', "The run's id", { type: 'string', format: 'uuid' });
const anything = { type: 'object', additionalProperties: true };

const example = {
  eventType: 'COMPLETE',
  eventTime: '2026-01-31T08:30:00.000Z',
  run: { runId: '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b' },
  job: { namespace: 'airflow', name: 'daily.orders' },
  inputs: [{ namespace: 'postgres://db:5432', name: 'shop.public.orders' }],
  outputs: [{ namespace: 'postgres://db:5432', name: 'shop.marts.revenue' }],
  producer: 'https://example.org/etl',
  schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
};

/** A read in the form of Marquez. */
function marquezRead(id: string, summary: string, parameters: JsonSchema[], found = false): PathItem {
  return {
    get: operation({
      id,
      tag: 'lineage',
      role: 'reader',
      summary,
      parameters,
      responses: { 200: answers('In the form of Marquez', anything) },
      problems: found ? ['invalid-input', 'not-found'] : ['invalid-input'],
    }),
  };
}

const paths: Record<string, PathItem> = {
  '/api/v1/lineage': {
    post: operation({
      id: 'postLineageEvent',
      tag: 'lineage',
      role: 'editor',
      summary: 'Take an OpenLineage event',
      description: [
        'A run, job or dataset event, by the tail of its `schemaURL`; a run event when that is missing. It is acknowledged when it is durable in Kafka.',
        'The same event sent again, by the same text, is taken once. The body may be packed (`Content-Encoding: gzip`).',
        `An event may have ${limits.lineageEventBytes} bytes, unpacked.`,
      ].join('\n\n'),
      body: jsonRequest(schemaRef('OpenLineageEvent'), { complete: example }),
      responses: { 201: { description: 'Durable, and on its way' } },
      problems: [...bodyProblems],
    }),
    get: operation({
      id: 'getLineageGraph',
      tag: 'lineage',
      role: 'reader',
      summary: 'The lineage graph around a dataset or a job, in the form of Marquez',
      parameters: queryParameters(graphQuery),
      responses: {
        200: answers('The graph', 'MarquezLineage', {
          'Lily-Truncated': header(`\`true\` when there is more than ${limits.lineageGraphNodes} nodes`),
        }),
      },
      problems: ['invalid-input', 'not-found'],
    }),
  },
  '/api/v1/lineage/batch': {
    post: operation({
      id: 'postLineageEvents',
      tag: 'lineage',
      role: 'editor',
      summary: `Take up to ${limits.lineageEventsPerRequest} OpenLineage events`,
      description:
        'An array, or `{"events": […]}`. Events that are wrong do not stop the others; when not one could be taken, the answer is a problem that carries `failed_events`.',
      body: jsonRequest({
        oneOf: [
          { type: 'array', items: schemaRef('OpenLineageEvent') },
          {
            type: 'object',
            required: ['events'],
            properties: { events: { type: 'array', items: schemaRef('OpenLineageEvent') } },
          },
        ],
      }),
      responses: { 200: answers('What was taken, and what was not', 'LineageBatchResult') },
      problems: [...bodyProblems],
    }),
  },
  '/api/v1/namespaces': marquezRead('listLineageNamespaces', 'Namespaces of datasets and jobs', []),
  '/api/v1/jobs': marquezRead('listAllLineageJobs', 'Jobs', queryParameters(pageQuery)),
  '/api/v1/jobs/runs/{id}': marquezRead('getMarquezRun', 'A run', [runId], true),
  '/api/v1/namespaces/{namespace}/jobs': marquezRead('listLineageJobs', 'Jobs of a namespace', [
    namespace,
    ...queryParameters(pageQuery),
  ]),
  '/api/v1/namespaces/{namespace}/jobs/{job}': marquezRead('getLineageJob', 'A job', [namespace, job], true),
  '/api/v1/namespaces/{namespace}/jobs/{job}/runs': marquezRead('listMarquezRuns', 'Runs of a job, the latest first', [
    namespace,
    job,
    ...queryParameters(pageQuery),
  ]),
  '/api/v1/namespaces/{namespace}/datasets': marquezRead('listLineageDatasets', 'Datasets of a namespace', [
    namespace,
    ...queryParameters(pageQuery),
  ]),
  '/api/v1/namespaces/{namespace}/datasets/{dataset}': marquezRead(
    'getLineageDataset',
    'A dataset',
    [namespace, pathParameter('dataset', "The dataset's name, URL-encoded")],
    true,
  ),
  '/v1/lineage-runs': {
    get: operation({
      id: 'listLineageRuns',
      tag: 'lineage',
      role: 'reader',
      summary: 'Runs of jobs, the latest begun first: states, durations, errors',
      parameters: queryParameters(runsQuery),
      responses: { 200: answers('A page of runs', 'LineageRunList') },
      problems: ['invalid-input'],
    }),
  },
  '/v1/lineage-runs/{id}': {
    get: operation({
      id: 'getLineageRun',
      tag: 'lineage',
      role: 'reader',
      summary: 'A run of a job',
      parameters: [runId],
      responses: { 200: answers('The run', 'LineageRun') },
      problems: ['not-found'],
    }),
  },
};

/** What api/openlineage adds to the API's description. */
export const openLineageDescription: Description = {
  paths,
  components: {
    ...schemaComponents({ OpenLineageEvent: eventSchema }, 'input'),
    ...schemaComponents(
      {
        LineageRun: lineageRunSchema,
        LineageRunList: lineageRunListSchema,
        MarquezLineage: graphSchema,
        LineageBatchResult: batchResultSchema,
      },
      'output',
    ),
  },
};
