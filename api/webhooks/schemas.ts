import { z } from 'zod';
import { mappingSchema } from '#domain/ingestion/mapping.ts';
import { webhookKinds } from '#domain/ingestion/webhook-kind.ts';
import { limits } from '#domain/limits.ts';
import { deadLetterReasons } from '#domain/transformation/dead-letter.ts';

export const sourceNamePattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const secretSchema = z
  .string()
  .regex(
    /^whsec_(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    'must be `whsec_` and 24 to 64 bytes in base64',
  )
  .meta({
    description:
      'The secret, where the sender has made one. Without it Lily makes one, and shows it in this answer only',
  });

const kindSchema = z.enum(webhookKinds).meta({
  description:
    'What the webhooks are made into: `records`, by the mapping; or `incident`: each row is an IncidentReport without `source` and `report_id`',
});

/** Body of `PUT /v1/integrations/webhooks/{source}`. */
export const putEndpointSchema = z
  .strictObject({
    kind: kindSchema.default('records'),
    mapping: mappingSchema.optional(),
    secret: secretSchema.optional(),
  })
  .refine(({ kind, mapping }) => kind === 'records' || mapping === undefined, {
    path: ['mapping'],
    message: 'is for records; reports of incidents have a form of their own',
  })
  .meta({ id: 'PutWebhook' });

/** Body of `POST /v1/integrations/webhooks/{source}/rotate`. */
export const rotateSchema = z
  .strictObject({
    keep_previous_seconds: z
      .int()
      .min(0)
      .max(limits.webhookSecretDays * 86_400)
      .default(86_400)
      .meta({ description: 'How long the secrets that hold now go on holding, at most' }),
    secret: secretSchema.optional(),
  })
  .meta({ id: 'RotateWebhookSecret' });

const time = z.iso.datetime();

export const endpointViewSchema = z
  .object({
    source: z.string(),
    kind: kindSchema,
    address: z.string().meta({ description: 'Where the sender posts to, at this API. Nobody else knows it' }),
    mapping: mappingSchema.nullable().meta({ description: 'Null for the default one' }),
    secrets: z
      .array(z.object({ created_at: time, expires_at: time.nullable() }))
      .meta({ description: 'Those that hold, without what they are' }),
    created_by: z.string(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Webhook' });

export type EndpointView = z.infer<typeof endpointViewSchema>;

export const endpointWithSecretSchema = endpointViewSchema
  .extend({ secret: z.string().optional().meta({ description: 'Shown this once; absent where you gave it' }) })
  .meta({ id: 'WebhookWithSecret' });

export const endpointListSchema = z.object({ items: z.array(endpointViewSchema) }).meta({ id: 'WebhookList' });

/** Answer of `POST /webhook/{endpoint}`. */
export const deliverySchema = z
  .object({
    status: z.literal('success'),
    webhook_id: z.string(),
    results: z
      .array(
        z.union([
          z.object({ status: z.literal('accepted'), record_id: z.string(), metadata_id: z.string() }),
          z.object({
            status: z.literal('dead-letter'),
            record_id: z.string(),
            reason: z.enum(deadLetterReasons),
            detail: z.string(),
          }),
          z.object({ status: z.literal('incident'), incident_id: z.string() }),
          z.object({ status: z.literal('ignored') }).meta({
            description: 'The end of an incident that is not known',
          }),
        ]),
      )
      .meta({ description: 'One for each row of the body, in their order' }),
  })
  .meta({ id: 'WebhookDelivery' });

export type Delivery = z.infer<typeof deliverySchema>;
