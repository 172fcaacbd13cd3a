import { z } from 'zod';
import { entityTypeSchema, qualifiedNameSchema } from '#domain/assets/record.ts';
import { limits } from '#domain/limits.ts';

/** A whole number in a query, within bounds. */
function whole(lowest: number, highest: number) {
  const words = `must be a whole number from ${lowest} to ${highest}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, words)
    .transform(Number)
    .pipe(z.int().min(lowest, words).max(highest, words));
}

export const entityQuery = z.strictObject({
  as_of: z.iso
    .datetime({
      offset: true,
      error: 'must be a time as RFC 3339 has it, for example 2026-01-31T12:00:00Z (write + as %2B)',
    })
    .optional()
    .meta({ description: 'Shows the version that was in force at this moment' }),
});

export const listQuery = z.strictObject({
  entity_type: entityTypeSchema.optional(),
  qualified_name: qualifiedNameSchema.optional().meta({ description: 'The whole qualified name' }),
  limit: whole(1, limits.pageSize).default(limits.defaultPageSize).meta({ description: 'Entities on one page' }),
  cursor: z.string().max(8_192).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

export const versionsQuery = z.strictObject({
  limit: whole(1, limits.pageSize).default(limits.defaultPageSize).meta({ description: 'Versions on one page' }),
  cursor: z.string().max(64).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

export const lineageQuery = z.strictObject({
  direction: z
    .enum(['upstream', 'downstream'], { error: 'must be upstream or downstream' })
    .default('downstream')
    .meta({ description: 'What the entity is made from, or what is made from it' }),
  depth: whole(1, limits.lineageDepth).default(5).meta({ description: 'Hops that are followed' }),
});
