import type { Request } from 'express';
import type { z } from 'zod';
import { InvalidInput, invalidInput } from './invalid-input.ts';

/** The query's parameters by a strict schema: an unknown, a doubled or a malformed one is refused by name. */
export function parseQuery<Schema extends z.ZodType>(request: Request, schema: Schema): z.infer<Schema> {
  const query = request.query as Record<string, unknown>;
  const doubled = Object.keys(query).find((name) => Array.isArray(query[name]));
  if (doubled !== undefined) {
    throw new InvalidInput(`The query parameter ${doubled} is given more than once`, [
      { field: doubled, detail: 'may be given once' },
    ]);
  }
  const parsed = schema.safeParse({ ...query });
  if (parsed.success) return parsed.data;
  const error = invalidInput(parsed.error, 'query');
  const errors = error.errors.map(({ field, detail }) => ({
    field: field.replace(/^\//, ''),
    detail: detail.replace('known field', 'known parameter'),
  }));
  throw new InvalidInput(error.message.replace('known field', 'known parameter').replace(/^\//, ''), errors);
}

/** Refuses any query: for addresses that take none. */
export function noQuery(request: Request): void {
  const [name] = Object.keys(request.query);
  if (name === undefined) return;
  throw new InvalidInput(`There is no query parameter ${name} here`, [
    { field: name, detail: 'is not a known parameter' },
  ]);
}
