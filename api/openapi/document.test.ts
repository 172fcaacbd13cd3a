import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { apiKeyDescription } from '../access/api-keys/openapi.ts';
import { incidentsDescription } from '../incidents/openapi.ts';
import { ingestionDescription } from '../ingestion/openapi.ts';
import { integrationsDescription } from '../integrations/openapi.ts';
import { topicDescription } from '../streams/topic-openapi.ts';
import { transformationDescription } from '../transformation/domain.ts';
import { webhookDescription } from '../webhooks/openapi.ts';
import { openLineageDescription } from '../openlineage/openapi.ts';
import { openApiDocument } from './document.ts';

type Node = Record<string, unknown>;

const document = openApiDocument(
  openLineageDescription,
  ingestionDescription,
  apiKeyDescription,
  integrationsDescription,
  incidentsDescription,
  transformationDescription,
  webhookDescription,
  topicDescription,
) as Node & {
  paths: Record<string, Record<string, Node>>;
  components: Record<string, Record<string, Node>>;
};
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
);

function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return;
  yield value as Node;
  for (const inner of Object.values(value)) yield* nodesOf(inner);
}

function resolve(reference: string): unknown {
  const steps = reference.slice(2).split('/');
  return steps.reduce<unknown>((node, step) => (node as Node | undefined)?.[step], document);
}

const ajv = new Ajv2020({ strict: false });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema({ $id: 'https://lily.example/openapi.json', ...document });
const component = (name: string) =>
  ajv.compile({ $ref: `https://lily.example/openapi.json#/components/schemas/${name}` });

describe('the OpenAPI document', () => {
  it('is JSON, and every reference in it leads somewhere', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    const references = [...nodesOf(document)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
    expect(references.length).toBeGreaterThan(50);
    for (const reference of references) expect(resolve(reference), reference).toBeTypeOf('object');
  });

  it('names every operation once, and every parameter of a path', () => {
    const ids = operations.map(({ operation }) => operation['operationId']);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, path, operation } of operations) {
      const parameters = (operation['parameters'] as Node[]).filter((parameter) => parameter['in'] === 'path');
      expect(
        parameters.map((parameter) => parameter['name']),
        name,
      ).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, id]) => id));
    }
  });

  it.each(operations)('$name says what it answers, and with which problems', ({ operation }) => {
    const responses = operation['responses'] as Record<string, Node>;
    for (const [status, response] of Object.entries(responses)) {
      expect(status).toMatch(/^[1-5]\d\d$/);
      expect(response['description']).toBeTruthy();
      const types = Object.keys((response['content'] as Node | undefined) ?? {});
      const expected =
        Number(status) >= 400 && response['description'] !== 'One does not'
          ? 'application/problem+json'
          : 'application/json';
      if (types.length > 0) expect(types).toEqual([expected]);
    }
    if (operation['security'] === undefined)
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '503']));
  });

  it('has schemas that accept and refuse what the API does', () => {
    const body = component('IngestBody');
    expect(body({ entity_type: 'table', attributes: { name: 'x', other: { 'a.b': [1] } } })).toBe(true);
    expect(body({ entity_type: 'table', attributes: {} })).toBe(false);
    expect(body({ entity_type: 'table', attributes: { name: 'x' }, extra: 1 })).toBe(false);
    const problem = component('Problem');
    expect(problem({ type: 'urn:x', title: 't', status: 404, detail: 'd', code: 'not-found' })).toBe(true);
    expect(problem({ type: 'urn:x', title: 't', status: 404, detail: 'd', code: 'unheard-of' })).toBe(false);
    expect(component('Notification')({ type: 'hello', id: 'AQ' })).toBe(true);
  });
});
