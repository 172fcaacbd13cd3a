import { scheduleSchema } from '#domain/ingestion/schedule.ts';
import { answers, headerRef, jsonRequest, operation, pathParameter, type PathItem } from '../openapi/operation.ts';
import { queryParameters, schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import {
  backfillSchema,
  backfillViewSchema,
  noteSchema,
  scheduleListQuery,
  scheduleListSchema,
  scheduleStateSchema,
  scheduleViewSchema,
  triggeredSchema,
} from './schedule-schemas.ts';

const id = pathParameter('id', 'The id of the schedule', { type: 'string', format: 'uuid' });
const idempotencyKey = { $ref: '#/components/parameters/idempotencyKey' };
const replayed = { 'Idempotency-Replayed': headerRef('IdempotencyReplayed') };
const source_id = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';
const examples = {
  nightly: { source_id, cron: '30 2 * * *', time_zone: 'Europe/Berlin', jitter: '10m' },
  often: { source_id, every: '15m', overlap: 'buffer_one' },
};

const bodyProblems = ['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type'] as const;

const pausing = (action: 'pause' | 'resume', summary: string): PathItem => ({
  post: operation({
    id: `${action}Schedule`,
    tag: 'ingestion',
    role: 'operator',
    summary,
    description: 'Runs that it has started go on.',
    parameters: [id],
    body: jsonRequest(schemaRef('ScheduleNote'), { note: { note: 'The warehouse moves this week' } }),
    responses: { 200: answers('The schedule as it is now', 'Schedule') },
    problems: [...bodyProblems, 'not-found', 'conflict'],
  }),
});

/** The addresses of schedules. */
export const schedulePaths: Record<string, PathItem> = {
  '/v1/schedules': {
    get: operation({
      id: 'listSchedules',
      tag: 'ingestion',
      role: 'reader',
      summary: 'Schedules, the newest first',
      parameters: queryParameters(scheduleListQuery),
      responses: { 200: answers('A page of schedules', 'ScheduleList') },
      problems: ['invalid-input'],
    }),
    post: operation({
      id: 'createSchedule',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Have a saved source read again and again',
      description:
        'Each time makes a run, which is in the history of runs also when it is skipped. A time that the change to summer time leaves out does not happen on that day; one that the change back brings twice happens once.',
      parameters: [idempotencyKey],
      body: jsonRequest(schemaRef('ScheduleDefinition'), examples),
      responses: { 201: answers('The schedule', 'Schedule', { Location: headerRef('Location'), ...replayed }) },
      problems: [...bodyProblems, 'conflict', 'idempotency-key-reused'],
    }),
  },
  '/v1/schedules/{id}': {
    get: operation({
      id: 'getSchedule',
      tag: 'ingestion',
      role: 'reader',
      summary: 'A schedule: its next times, its last runs, and the times that were missed',
      parameters: [id],
      responses: { 200: answers('The schedule', 'ScheduleState') },
      problems: ['not-found'],
    }),
    put: operation({
      id: 'replaceSchedule',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Replace a schedule',
      parameters: [id],
      body: jsonRequest(schemaRef('ScheduleDefinition'), examples),
      responses: { 200: answers('The schedule as it is now', 'Schedule') },
      problems: [...bodyProblems, 'not-found', 'conflict'],
    }),
    delete: operation({
      id: 'deleteSchedule',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Delete a schedule',
      description: 'Runs that it has started go on, and stay in the history.',
      parameters: [id],
      responses: { 204: { description: 'It is deleted' } },
      problems: ['not-found'],
    }),
  },
  '/v1/schedules/{id}/pause': pausing('pause', 'Pause a schedule'),
  '/v1/schedules/{id}/resume': pausing('resume', 'Resume a schedule'),
  '/v1/schedules/{id}/trigger': {
    post: operation({
      id: 'triggerSchedule',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Run now what a time of the schedule runs',
      description: 'Also while it is paused. The overlap policy of the schedule holds.',
      parameters: [id, idempotencyKey],
      responses: {
        202: answers('It is started', 'ScheduleTriggered', { Location: headerRef('Location'), ...replayed }),
      },
      problems: ['invalid-input', 'not-found', 'conflict', 'idempotency-key-reused'],
    }),
  },
  '/v1/schedules/{id}/backfill': {
    post: operation({
      id: 'backfillSchedule',
      tag: 'ingestion',
      role: 'operator',
      summary: 'Make up for times that had no run',
      description:
        'Each time of the range that has had no run gets one, the earliest first, one after the other. No time is ever run twice.',
      parameters: [id, idempotencyKey],
      body: jsonRequest(schemaRef('Backfill'), {
        night: { from: '2026-01-31T00:00:00Z', to: '2026-01-31T06:00:00Z' },
      }),
      responses: { 202: answers('It is started', 'BackfillStarted', replayed) },
      problems: [...bodyProblems, 'not-found', 'conflict', 'idempotency-key-reused'],
    }),
  },
};

/** What schedules add to the schemas of the API's description; those of runs are there already. */
export const scheduleComponents = {
  ...schemaComponents(
    { ScheduleDefinition: scheduleSchema, ScheduleNote: noteSchema, Backfill: backfillSchema },
    'input',
  ),
  ...schemaComponents(
    {
      Schedule: scheduleViewSchema,
      ScheduleList: scheduleListSchema,
      ScheduleState: scheduleStateSchema,
      ScheduleTriggered: triggeredSchema,
      BackfillStarted: backfillViewSchema,
    },
    'output',
  ),
};
