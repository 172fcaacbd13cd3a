import { errorCatalogue, type ErrorCode } from '#domain/errors.ts';
import type { Role } from '#domain/access/principal.ts';
import { schemaRef, type JsonSchema } from './schema-components.ts';

/** One address of the API, method by method. */
export type PathItem = Record<string, JsonSchema>;

interface OperationPlan {
  id: string;
  tag: string;
  summary: string;
  description?: string;
  /** The least role that may; absent where no token is needed. */
  role?: Role;
  parameters?: JsonSchema[];
  body?: JsonSchema;
  responses: Record<string, JsonSchema>;
  /** The problems that this operation may answer with, beside those that any may. */
  problems?: ErrorCode[];
}

/** An operation in OpenAPI's form, with the problems that every operation shares. */
export function operation({
  id,
  tag,
  summary,
  description,
  role,
  parameters,
  body,
  responses,
  problems = [],
}: OperationPlan): JsonSchema {
  const signedIn: ErrorCode[] = role === undefined ? [] : ['unauthenticated', 'forbidden', 'unavailable'];
  const text = [description, role === undefined ? undefined : `Needs the role \`${role}\`.`]
    .filter(Boolean)
    .join('\n\n');
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(text === '' ? {} : { description: text }),
    ...(role === undefined ? { security: [] } : {}),
    parameters: [...(parameters ?? []), { $ref: '#/components/parameters/traceparent' }],
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      ...mapValues(responses, withTrace),
      ...problemResponses([...problems, ...signedIn, 'method-not-allowed', 'internal']),
    },
  };
}

/** A JSON answer. */
export function answers(
  description: string,
  schema: string | JsonSchema,
  headers: Record<string, JsonSchema> = {},
): JsonSchema {
  const body = typeof schema === 'string' ? schemaRef(schema) : schema;
  return { description, headers, content: { 'application/json': { schema: body } } };
}

/** A JSON body that is needed. */
export function jsonRequest(schema: JsonSchema, examples: Record<string, unknown> = {}): JsonSchema {
  const named = mapValues(examples, (value) => ({ value }));
  return {
    required: true,
    content: { 'application/json': { schema, ...(Object.keys(named).length > 0 ? { examples: named } : {}) } },
  };
}

export function header(description: string, type: 'string' | 'integer' = 'string'): JsonSchema {
  return { description, schema: { type } };
}

export function headerRef(name: string): JsonSchema {
  return { $ref: `#/components/headers/${name}` };
}

export function pathParameter(name: string, description: string, schema: JsonSchema = { type: 'string' }): JsonSchema {
  return { name, in: 'path', required: true, description, schema };
}

export function headerParameter(
  name: string,
  description: string,
  schema: JsonSchema = { type: 'string' },
): JsonSchema {
  return { name, in: 'header', required: false, description, schema };
}

/** Problem answers by status; codes that share a status stand together. */
function problemResponses(codes: readonly ErrorCode[]): Record<string, JsonSchema> {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of codes) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [String(status), problemResponse(status, [...same])]),
  );
}

function problemResponse(status: number, codes: ErrorCode[]): JsonSchema {
  const description = codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('; ');
  const schema = { allOf: [schemaRef('Problem'), { properties: { code: { enum: codes } } }] };
  return withTrace({
    description,
    headers: {
      ...(status === 401 ? { 'WWW-Authenticate': header('How to sign in (RFC 6750)') } : {}),
      ...(status === 405 ? { Allow: header('The methods that are possible') } : {}),
      ...(status === 429 || status === 503
        ? { 'Retry-After': header('Seconds to wait before trying again', 'integer') }
        : {}),
    },
    content: { 'application/problem+json': { schema } },
  });
}

function withTrace(response: JsonSchema): JsonSchema {
  const headers = (response['headers'] ?? {}) as JsonSchema;
  return { ...response, headers: { ...headers, traceparent: headerRef('traceparent') } };
}

function mapValues<In, Out>(record: Readonly<Record<string, In>>, change: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
