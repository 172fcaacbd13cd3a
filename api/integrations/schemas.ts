import { z } from 'zod';
import type { IntegrationDoc } from '#platform/mongo/integrations.ts';

const time = z.iso.datetime();

/** Secrets as they are shown: never themselves. */
export const secretViewSchema = z
  .object({ secret_id: z.uuid(), created_at: time, created_by: z.string() })
  .meta({ id: 'IntegrationSecret', description: 'A secret; what it is, is never shown' });

export function secretViews({ secrets }: IntegrationDoc): z.infer<typeof secretViewSchema>[] {
  return secrets.map(({ secret_id, created_at, created_by }) => ({
    secret_id,
    created_at: created_at.toISOString(),
    created_by,
  }));
}

export const accountIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, `_` or `-`')
  .meta({
    description: 'The account id that Monte Carlo sends with every webhook',
    examples: ['9a59c6f1-203a-4c72-8cd7-132db7f21b92'],
  });

/** Body of `PUT /v1/integrations/monte-carlo`. */
export const monteCarloSchema = z
  .strictObject({
    account_id: accountIdSchema,
    secret: z
      .string()
      .min(16, 'must have at least 16 characters')
      .max(512)
      .meta({ description: 'The secret of the webhook in Monte Carlo. Further ones are added beside it' }),
  })
  .meta({ id: 'PutMonteCarlo' });

export const monteCarloViewSchema = z
  .object({ account_id: z.string(), secrets: z.array(secretViewSchema), created_at: time, updated_at: time })
  .meta({ id: 'MonteCarlo' });

export const monteCarloListSchema = z.object({ items: z.array(monteCarloViewSchema) }).meta({ id: 'MonteCarloList' });

export function monteCarloView(doc: IntegrationDoc): z.infer<typeof monteCarloViewSchema> {
  return {
    account_id: doc.address,
    secrets: secretViews(doc),
    created_at: doc.created_at.toISOString(),
    updated_at: doc.updated_at.toISOString(),
  };
}
