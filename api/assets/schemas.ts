import { z } from 'zod';
import { attributesSchema, ingestBodySchema, replaceBodySchema } from '#domain/assets/record.ts';
import { problemSchema } from '../http/problem-schema.ts';

const time = z.iso.datetime();
const metadataId = z.string().meta({ description: 'A UUID that follows from tenant, type and qualified name' });
const workflowId = z.string().meta({ description: 'The Temporal workflow that did it' });
const outcome = z.enum(['created', 'updated', 'deleted', 'unchanged']);

const resolvedRef = z.object({
  metadata_id: metadataId,
  entity_type: z.string().optional(),
  qualified_name: z.string().optional(),
});

const content = {
  metadata_id: metadataId,
  entity_id: metadataId,
  entity_type: z.string(),
  tenant_id: z.string(),
  qualified_name: z.string(),
  attributes: attributesSchema,
  parent: resolvedRef.optional(),
  upstream: z.array(resolvedRef),
  downstream: z.array(resolvedRef).optional(),
  relationships: z.array(z.object({ relationship_type: z.string(), target: resolvedRef })),
  version: z.int().positive(),
};

const validity = {
  valid_from: time,
  valid_to: time.nullable().meta({ description: 'When the next version began; null for the current one' }),
  is_current: z.boolean(),
};

const entity = z.object({
  ...content,
  statistics: z.record(z.string(), z.json()).optional(),
  source_id: z.string().optional(),
  created_at: time,
  updated_at: time,
  valid_from: time.optional().meta({ description: 'With `as_of` only' }),
  valid_to: time.nullable().optional().meta({ description: 'With `as_of` only' }),
  is_current: z.boolean().optional().meta({ description: 'With `as_of` only' }),
});

const entityVersion = z.object({
  ...content,
  ...validity,
  change: z.enum(['created', 'updated', 'deleted']),
  changed_fields: z.array(z.string()),
  actor: z.string(),
  record_id: z.string(),
});

const accepted = z.object({ status: z.literal('success'), metadata_id: metadataId });
const applied = accepted.extend({ version: z.int().positive().optional(), outcome, workflow_id: workflowId });

const itemResult = z.union([
  z.object({
    status: z.literal('success'),
    metadata_id: metadataId,
    record_id: z.string(),
    version: z.int().positive().optional(),
    outcome: outcome.optional(),
    workflow_id: workflowId.optional(),
  }),
  z.object({ status: z.literal('error'), error: problemSchema }),
]);

const results = z.array(itemResult).meta({ description: 'One for each item, in the order of the array' });

/** Bodies of requests. */
export const assetInputs = { IngestBody: ingestBodySchema, ReplaceBody: replaceBodySchema };

const nextCursor = z
  .string()
  .nullable()
  .meta({ description: 'Give it as `cursor` for the next page; null on the last' });

/** Bodies of answers. */
export const assetOutputs = {
  Accepted: accepted,
  Applied: applied,
  BatchResult: z.object({ status: z.literal('success'), results }),
  Entity: entity,
  EntityPage: z.object({ items: z.array(entity), next_cursor: nextCursor }),
  VersionPage: z.object({ items: z.array(entityVersion), next_cursor: nextCursor }),
  Lineage: z.object({
    metadata_id: metadataId,
    direction: z.enum(['upstream', 'downstream']),
    depth: z.int(),
    nodes: z.array(
      z.object({
        metadata_id: metadataId,
        entity_type: z.string(),
        qualified_name: z.string(),
        name: z.string(),
        distance: z.int().meta({ description: 'Hops from the entity; the shortest way counts' }),
      }),
    ),
    edges: z.array(z.object({ relationship_type: z.string(), source: metadataId, target: metadataId })),
    truncated: z.boolean().meta({ description: 'Whether there was more than one answer may hold' }),
  }),
  RecordStatus: z.object({
    record_id: z.string(),
    state: z.enum(['pending', 'applied', 'unchanged', 'rejected']),
    metadata_id: metadataId,
    version: z.int().positive().optional(),
    reason: z.string().optional(),
    detail: z.string().optional(),
    received_at: time,
    workflow_id: workflowId,
  }),
};
