import type { Description } from '../../openapi/document.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter, type PathItem } from '../../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../../openapi/schema-components.ts';
import { jobActions, type JobAction } from './control.ts';
import { jobPaths } from './router.ts';
import {
  jobsQuery,
  replayListSchema,
  replaySchema,
  reprocessingListSchema,
  reprocessingSchema,
  reprocessSchema,
} from './schemas.ts';

const id = pathParameter('id', 'The job id', { type: 'string', format: 'uuid' });
const tag = 'transformation';

const summaries: Record<JobAction, string> = {
  pause: 'Pause it after the page under way',
  resume: 'Go on where it stopped',
  cancel: 'End it after the page under way; what was applied stays',
};

interface Words {
  name: string;
  one: string;
  many: string;
}

/** What replays and reprocessings have in common. */
function pathsOf(path: string, { name, one, many }: Words, start: PathItem): Record<string, PathItem> {
  return {
    [path]: {
      get: operation({
        id: `list${name}s`,
        tag,
        role: 'reader',
        summary: `${many}, the newest first`,
        parameters: queryParameters(jobsQuery),
        responses: { 200: answers('A page', `${name}List`) },
        problems: ['invalid-input'],
      }),
      ...start,
    },
    [`${path}/{id}`]: {
      get: operation({
        id: `get${name}`,
        tag,
        role: 'reader',
        summary: `${one}: its state, and how far it is`,
        parameters: [id],
        responses: { 200: answers(one, name) },
        problems: ['not-found'],
      }),
    },
    ...Object.fromEntries(
      jobActions.map((action) => [
        `${path}/{id}/${action}`,
        {
          post: operation({
            id: `${action}${name}`,
            tag,
            role: 'operator',
            summary: summaries[action],
            parameters: [id],
            responses: { 200: answers('As it is now', name) },
            problems: ['not-found', 'conflict'],
          }),
        },
      ]),
    ),
  };
}

const example = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z', filter: {}, dry_run: true };

/** The addresses of replays and reprocessings, for the API's description. */
export const jobDescription: Description = {
  paths: {
    ...pathsOf(
      jobPaths.replay,
      { name: 'Replay', one: 'A replay of dead letters', many: 'Replays of dead letters' },
      {},
    ),
    ...pathsOf(
      jobPaths.reprocess,
      { name: 'Reprocessing', one: 'A reprocessing of raw records', many: 'Reprocessings of raw records' },
      {
        post: operation({
          id: 'startReprocessing',
          tag,
          role: 'operator',
          summary: 'Transform what arrived in a range of time anew',
          description:
            'Each entity whose newest record lies in the range is compared with what its records come to under the rules of today. Where that differs it gets a new version; an older record never replaces what a newer one says. With `dry_run`, nothing is changed.',
          parameters: [{ $ref: '#/components/parameters/idempotencyKey' }],
          body: jsonRequest(schemaRef('StartReprocessing'), { january: example }),
          responses: {
            202: answers('It is started', 'Reprocessing', {
              Location: headerRef('Location'),
              'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
            }),
          },
          problems: [
            ...(['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const),
            ...(['conflict', 'idempotency-key-reused'] as const),
          ],
        }),
      },
    ),
  },
  components: {
    ...schemaComponents({ StartReprocessing: reprocessSchema }, 'input'),
    ...schemaComponents(
      {
        Replay: replaySchema,
        ReplayList: replayListSchema,
        Reprocessing: reprocessingSchema,
        ReprocessingList: reprocessingListSchema,
      },
      'output',
    ),
  },
};
