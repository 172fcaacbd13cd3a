import type { Description } from '../../openapi/document.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter } from '../../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../../openapi/schema-components.ts';
import { replayManySchema, replayOneSchema } from '../jobs/schemas.ts';
import { discardSchema, letterListSchema, letterSchema, lettersQuery, mendSchema } from './schemas.ts';

const id = pathParameter('id', 'The id of the record, percent-encoded');
const tag = 'transformation';
const bodyProblems = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;
const startProblems = [...bodyProblems, 'conflict', 'idempotency-key-reused'] as const;
const started = answers('The replay is started', 'Replay', {
  Location: headerRef('Location'),
  'Idempotency-Replayed': headerRef('IdempotencyReplayed'),
});
const idempotencyKey = { $ref: '#/components/parameters/idempotencyKey' };

/** The addresses of dead letters, for the API's description. */
export const letterDescription: Description = {
  paths: {
    '/v1/dead-letters': {
      get: operation({
        id: 'listDeadLetters',
        tag,
        role: 'reader',
        summary: 'Records that could not be processed, the last first',
        description: 'Without bodies. All that is given of the filter must hold.',
        parameters: queryParameters(lettersQuery),
        responses: { 200: answers('A page of letters', 'DeadLetterList') },
        problems: ['invalid-input'],
      }),
    },
    '/v1/dead-letters/replay': {
      post: operation({
        id: 'replayDeadLetters',
        tag,
        role: 'operator',
        summary: 'Replay many',
        description:
          'In the order in which they arrived, each once, as a workflow that can be watched, paused and cancelled at `/v1/replays/{id}`. A letter whose entity has a newer record is rejected as `superseded` unless it is forced.',
        parameters: [idempotencyKey],
        body: jsonRequest(schemaRef('ReplayDeadLetters'), { failed: { filter: { reason: 'rule-failed' } } }),
        responses: { 202: started },
        problems: [...startProblems],
      }),
    },
    '/v1/dead-letters/{id}': {
      get: operation({
        id: 'getDeadLetter',
        tag,
        role: 'reader',
        summary: 'A letter; for editors with the record as it arrived',
        parameters: [id],
        responses: { 200: answers('The letter', 'DeadLetter') },
        problems: ['not-found'],
      }),
      put: operation({
        id: 'mendDeadLetter',
        tag,
        role: 'editor',
        summary: 'Give a letter another body for its replays',
        description: 'The record as it arrived stays.',
        parameters: [id],
        body: jsonRequest(schemaRef('MendDeadLetter')),
        responses: { 200: answers('The letter', 'DeadLetter') },
        problems: [...bodyProblems, 'not-found', 'conflict'],
      }),
    },
    '/v1/dead-letters/{id}/replay': {
      post: operation({
        id: 'replayDeadLetter',
        tag,
        role: 'operator',
        summary: 'Replay one',
        parameters: [id, idempotencyKey],
        body: jsonRequest(schemaRef('ReplayDeadLetter'), { plain: {} }),
        responses: { 202: started },
        problems: [...startProblems, 'not-found'],
      }),
    },
    '/v1/dead-letters/{id}/discard': {
      post: operation({
        id: 'discardDeadLetter',
        tag,
        role: 'operator',
        summary: 'Decide that a record stays out',
        parameters: [id],
        body: jsonRequest(schemaRef('DiscardDeadLetter')),
        responses: { 200: answers('The letter', 'DeadLetter') },
        problems: [...bodyProblems, 'not-found', 'conflict'],
      }),
    },
  },
  components: {
    ...schemaComponents(
      {
        MendDeadLetter: mendSchema,
        DiscardDeadLetter: discardSchema,
        ReplayDeadLetters: replayManySchema,
        ReplayDeadLetter: replayOneSchema,
      },
      'input',
    ),
    ...schemaComponents({ DeadLetter: letterSchema, DeadLetterList: letterListSchema }, 'output'),
  },
};
