import { z } from 'zod';
import { roles } from '#domain/access/principal.ts';
import { limits } from '#domain/limits.ts';

/** Body of `POST /v1/api-keys`. */
export const createKeySchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(128)
      .refine((text) => !text.includes('\u0000'), 'may not contain the NUL character (U+0000)')
      .meta({ description: 'What the key is for', examples: ['airflow production'] }),
    roles: z
      .array(z.enum(roles, { error: `must be one of: ${roles.join(', ')}` }))
      .min(1)
      .max(roles.length)
      .meta({ description: 'What the key may do. A client that only sends lineage needs `editor`.' }),
    expires_at: z.iso
      .datetime({ offset: true, error: 'must be an RFC 3339 time' })
      .refine((text) => Date.parse(text) > Date.now(), 'must be in the future')
      .optional()
      .meta({ description: 'When it ends by itself; without it, never' }),
  })
  .meta({ id: 'CreateApiKey' });

const time = z.iso.datetime();

export const keyViewSchema = z
  .object({
    key_id: z.string(),
    name: z.string(),
    roles: z.array(z.enum(roles)),
    state: z.enum(['active', 'expired', 'revoked']),
    created_by: z.string(),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: 'To the minute' }),
    revoked_at: time.nullable(),
    revoked_by: z.string().nullable(),
  })
  .meta({ id: 'ApiKey' });

export type KeyView = z.infer<typeof keyViewSchema>;

/** Answer of `POST /v1/api-keys`: the one time that the key itself is shown. */
export const createdKeySchema = keyViewSchema
  .extend({ key: z.string().meta({ description: 'The key. It is shown now and never again: Lily keeps its digest.' }) })
  .meta({ id: 'CreatedApiKey' });

export const keyListSchema = z
  .object({ items: z.array(keyViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: 'ApiKeyList' });

const wholeNumber = `must be a whole number from 1 to ${limits.pageSize}`;

export const keyListQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,9}$/, wholeNumber)
    .transform(Number)
    .pipe(z.int().min(1, wholeNumber).max(limits.pageSize, wholeNumber))
    .default(limits.defaultPageSize)
    .meta({ description: 'Keys on one page' }),
  cursor: z
    .string()
    .regex(/^[0-9a-f-]{36}$/, 'must be a next_cursor of an earlier answer')
    .optional()
    .meta({ description: 'The `next_cursor` of the page before' }),
});
