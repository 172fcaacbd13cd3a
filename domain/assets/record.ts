import { z } from 'zod';
import { limits } from '../limits.ts';
import { checkAttributes } from './attribute-limits.ts';

const noNul = (text: string): boolean => !text.includes('\u0000');
const nulMessage = 'may not contain the NUL character (U+0000)';

export const entityTypeSchema = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/,
    'must start with a letter and have at most 64 letters, digits, `_`, `.` or `-`',
  )
  .meta({ description: 'Kind of entity, for example `table`, `column`, `dashboard`', examples: ['table'] });

export const qualifiedNameSchema = z
  .string()
  .min(1)
  .max(limits.qualifiedNameLength)
  .refine(noNul, nulMessage)
  .meta({
    description: 'Name that is unique among the entities of its type and tenant',
    examples: ['warehouse.sales.orders'],
  });

export const tenantIdSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    'must be 1 to 63 lower-case letters, digits, `_` or `-`, starting with a letter or digit',
  );

export const metadataIdSchema = z
  .string()
  .regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    'must be a metadata id as Lily gives it, a lower-case UUID',
  );

export const entityRefSchema = z.union(
  [
    z.strictObject({ metadata_id: metadataIdSchema }),
    z.strictObject({ entity_type: entityTypeSchema, qualified_name: qualifiedNameSchema }),
  ],
  { error: 'must be {"metadata_id": …} or {"entity_type": …, "qualified_name": …}' },
);

export const attributesSchema = z
  .looseObject({
    name: z.string().min(1).max(limits.nameLength).refine(noNul, nulMessage),
    description: z.string().max(limits.descriptionLength).optional(),
    created_by: z.string().max(limits.nameLength).optional(),
    tags: z
      .array(z.string().min(1).max(limits.tagLength), { error: 'must be a list of strings' })
      .max(limits.tagsPerEntity, `may hold at most ${limits.tagsPerEntity} tags`)
      .optional(),
  })
  .meta({ description: 'What is known of the entity. Further keys of any JSON form are kept as they are.' });

export const relationshipSchema = z.strictObject({
  relationship_type: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'must be upper snake case, for example `JOINS_WITH`'),
  target: entityRefSchema,
});

const contentFields = {
  attributes: attributesSchema,
  parent: entityRefSchema.optional().meta({ description: 'What contains this entity' }),
  upstream: z
    .array(entityRefSchema)
    .max(limits.edgesPerEntity)
    .optional()
    .meta({ description: 'The whole set of entities that this one is made from' }),
  downstream: z
    .array(entityRefSchema)
    .max(limits.edgesPerEntity)
    .optional()
    .meta({ description: 'The whole set of entities that this one says are made from it: what a job writes' }),
  relationships: z.array(relationshipSchema).max(limits.edgesPerEntity).optional(),
  statistics: z
    .record(z.string(), z.json())
    .optional()
    .meta({ description: 'Measured facts; kept, but not versioned' }),
};

/** Body of `POST /ingest-metadata` (one of an array's items). */
export const ingestBodySchema = z
  .strictObject({
    entity_type: entityTypeSchema,
    tenant_id: tenantIdSchema.optional().meta({ description: "Must be the token's tenant when given" }),
    qualified_name: qualifiedNameSchema.optional(),
    ...contentFields,
  })
  .superRefine(checkAttributes)
  .meta({ id: 'IngestBody' });

export type IngestBody = z.infer<typeof ingestBodySchema>;

/** Body of `PUT /metadata/{id}`: the entity's whole new content. Type and name may be repeated, not changed. */
export const replaceBodySchema = z
  .strictObject({
    entity_type: entityTypeSchema.optional(),
    tenant_id: tenantIdSchema.optional(),
    qualified_name: qualifiedNameSchema.optional(),
    ...contentFields,
  })
  .superRefine(checkAttributes)
  .meta({ id: 'ReplaceBody' });

export type ReplaceBody = z.infer<typeof replaceBodySchema>;

const recordFields = {
  entity_type: entityTypeSchema,
  qualified_name: qualifiedNameSchema,
  /** The caller's `If-Match`: apply only to this version. */
  expected_version: z.int().positive().optional(),
  /** The crawled source that the entity belongs to. */
  source_id: z.string().max(256).optional(),
  ...contentFields,
};

const statedRecordSchema = z
  .strictObject({ op: z.enum(['upsert', 'delete']), ...recordFields, attributes: attributesSchema.optional() })
  .superRefine((record, context) => {
    if (record.op === 'upsert' && record.attributes === undefined) {
      context.addIssue({ code: 'custom', path: ['attributes'], message: 'is needed to create or update an entity' });
    }
    if (record.attributes !== undefined) checkAttributes(record, context);
  });

/** A record that states an entity's whole content, or its end. */
export type StatedRecord = z.infer<typeof statedRecordSchema>;

const { description, created_by, tags } = attributesSchema.shape;

/**
 * A change to what is there: attributes that are given take the place of those of the same name, the others stay, and null
 * takes one away; the attribute `facets` is merged in the same way one level deeper, and statistics are merged too. The parent
 * and the edges stay as they are where they are not given. An entity that is not there comes to be.
 */
const mergeRecordSchema = z
  .strictObject({
    op: z.literal('merge'),
    ...recordFields,
    attributes: z
      .looseObject({
        name: attributesSchema.shape.name.optional(),
        description: description.nullable(),
        created_by: created_by.nullable(),
        tags: tags.nullable(),
      })
      .optional(),
  })
  .superRefine((record, context) => checkAttributes(record, context));

export type MergeRecord = z.infer<typeof mergeRecordSchema>;

/**
 * One record as it travels: the value of a message on `lily.ingest`, and the body of a raw record.
 * Who sent it, when, and for which tenant stands beside it, in the message's headers.
 */
export const ingestRecordSchema = z.discriminatedUnion('op', [statedRecordSchema, mergeRecordSchema]);

export type IngestRecord = z.infer<typeof ingestRecordSchema>;
