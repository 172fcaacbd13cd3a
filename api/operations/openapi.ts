import { z } from 'zod';
import { answers, header, operation, type PathItem } from '../openapi/operation.ts';
import { schemaComponents } from '../openapi/schema-components.ts';

const health = z.object({ status: z.literal('ok') });
const readiness = z.object({
  status: z.enum(['ready', 'unavailable']),
  dependencies: z.record(
    z.string(),
    z.object({ ok: z.boolean(), latency_ms: z.number(), detail: z.string().optional() }),
  ),
});

export const operationsPaths: Record<string, PathItem> = {
  '/healthz': {
    get: operation({
      id: 'getHealth',
      tag: 'operations',
      summary: 'Whether this process lives',
      responses: { 200: answers('It does', 'Health') },
    }),
  },
  '/readyz': {
    get: operation({
      id: 'getReadiness',
      tag: 'operations',
      summary: 'Whether it can serve, dependency by dependency',
      responses: {
        200: answers('Every dependency answers', 'Readiness'),
        503: answers('One does not', 'Readiness', {
          'Retry-After': header('Seconds to wait before trying again', 'integer'),
        }),
      },
    }),
  },
};

export const operationsComponents = schemaComponents({ Health: health, Readiness: readiness }, 'output');
