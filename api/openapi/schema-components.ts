import { z } from 'zod';

/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 takes it. */
export type JsonSchema = Record<string, unknown>;

/**
 * Turns zod schemas into named components. A schema within a schema that has an id becomes a component of its own; the
 * nameless recursive schema that `z.json()` makes becomes `Json`.
 */
export function schemaComponents(
  schemas: Readonly<Record<string, z.ZodType>>,
  io: 'input' | 'output',
): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const { $schema: _dialect, $defs = {}, ...root } = relinked(z.toJSONSchema(schema, { io })) as Converted;
    components[name] = withoutId(root);
    for (const [inner, definition] of Object.entries($defs)) components[componentName(inner)] = withoutId(definition);
  }
  return components;
}

interface Converted extends JsonSchema {
  $schema?: string;
  $defs?: Record<string, JsonSchema>;
}

function relinked(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema).replaceAll(
    /"#\/\$defs\/([^"]+)"/g,
    (_whole, name: string) => `"#/components/schemas/${componentName(name)}"`,
  );
  return JSON.parse(text) as JsonSchema;
}

function componentName(name: string): string {
  return name.startsWith('__schema') ? 'Json' : name;
}

function withoutId({ id: _id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

/** The parameters of a query, from the strict schema that reads it. */
export function queryParameters(schema: z.ZodObject): JsonSchema[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, { description, ...property }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}

export function schemaRef(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
