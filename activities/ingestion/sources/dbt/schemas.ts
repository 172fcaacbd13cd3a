import { z } from 'zod';

const text = z.string().nullish();
const texts = z.union([z.string().transform((one) => [one]), z.array(z.string())]).nullish();
const meta = z.record(z.string(), z.json()).nullish();

export const ownerSchema = z.object({ name: text, email: texts });
export type DbtOwner = z.infer<typeof ownerSchema>;

const columnSchema = z.object({
  name: z.string(),
  description: text,
  data_type: text,
  meta,
  tags: texts,
  constraints: z.array(z.object({ type: z.string() })).nullish(),
});
export type DbtColumn = z.infer<typeof columnSchema>;

/**
 * A member of any of the manifest's sections, as far as it is read: dbt gives them the same names for the same things. The
 * versions differ in what they have; whatever may be missing in one of them is optional.
 */
export const nodeSchema = z.object({
  unique_id: z.string().regex(/^[a-z_]{1,40}\..+$/, 'must begin with the type of the node'),
  name: z.string(),
  package_name: text,
  original_file_path: text,
  description: text,
  tags: texts,
  meta,
  group: text,
  owner: ownerSchema.nullish(),
  depends_on: z.object({ nodes: z.array(z.string()).nullish() }).nullish(),
  columns: z.record(z.string(), columnSchema).nullish(),
  // What is made in the warehouse.
  database: text,
  schema: text,
  alias: text,
  identifier: text,
  relation_name: text,
  raw_code: text,
  language: text,
  access: text,
  version: z.union([z.string(), z.number()]).nullish(),
  latest_version: z.union([z.string(), z.number()]).nullish(),
  deprecation_date: text,
  constraints: z.array(z.object({ type: z.string(), columns: texts })).nullish(),
  checksum: z.union([z.string(), z.object({ checksum: z.string() })]).nullish(),
  config: z
    .object({
      materialized: text,
      severity: text,
      unique_key: texts,
      strategy: text,
      incremental_strategy: text,
      on_schema_change: text,
      contract: z.object({ enforced: z.boolean().nullish() }).nullish(),
      where: text,
      fail_calc: text,
      warn_if: text,
      error_if: text,
    })
    .nullish(),
  // Sources.
  source_name: text,
  source_description: text,
  loader: text,
  loaded_at_field: text,
  freshness: z.json().nullish(),
  // Tests.
  attached_node: text,
  column_name: text,
  test_metadata: z
    .object({ name: z.string(), namespace: text, kwargs: z.record(z.string(), z.json()).nullish() })
    .nullish(),
  // Exposures, metrics, semantic models, saved queries.
  label: text,
  type: text,
  maturity: text,
  url: text,
  type_params: z.json().nullish(),
  filter: z.json().nullish(),
  time_granularity: text,
  entities: z.json().nullish(),
  dimensions: z.json().nullish(),
  measures: z.json().nullish(),
  query_params: z.json().nullish(),
});
export type DbtNode = z.infer<typeof nodeSchema>;

export const catalogEntrySchema = z.object({
  metadata: z.object({ type: text, owner: text, comment: text }),
  columns: z.record(z.string(), z.object({ name: z.string(), type: text, index: z.number().nullish(), comment: text })),
  stats: z.record(z.string(), z.object({ include: z.boolean().nullish(), value: z.json().nullish() })).nullish(),
});
export type CatalogEntry = z.infer<typeof catalogEntrySchema>;

/** What went wrong while dbt looked at the warehouse. */
export const catalogErrorsSchema = z.array(z.string()).nullable();

const timing = z.array(z.object({ name: z.string(), completed_at: text })).nullish();

export const runResultSchema = z.object({
  unique_id: z.string(),
  status: z.string(),
  message: text,
  failures: z.number().nullish(),
  execution_time: z.number().nullish(),
  adapter_response: z.object({ rows_affected: z.number().nullish() }).nullish(),
  timing,
});
export type RunResult = z.infer<typeof runResultSchema>;

export const freshnessSchema = z.object({
  unique_id: z.string(),
  status: z.string(),
  error: z.json().nullish(),
  max_loaded_at: text,
  snapshotted_at: text,
  max_loaded_at_time_ago_in_s: z.number().nullish(),
});
export type Freshness = z.infer<typeof freshnessSchema>;
