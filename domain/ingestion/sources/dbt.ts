import { z } from 'zod';
import { pageSizeSchema, sourceNameSchema, type SourceKind } from './kind.ts';

/** The artifacts of dbt that are read. `manifest` is the one that the others add to. */
export const dbtArtifacts = ['manifest', 'catalog', 'run_results', 'sources'] as const;
export type DbtArtifact = (typeof dbtArtifacts)[number];

const artifactSchema = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{24}$/, 'must be the object id that POST /v1/uploads answered with')
    .meta({ description });

/** What `dbt build`, `dbt docs generate` and `dbt source freshness` leave in the folder `target` of a project. */
export const dbtSourceSchema = z
  .strictObject({
    type: z.literal('dbt'),
    name: sourceNameSchema('project').meta({
      description:
        'What the project is called in Lily, and the first part of every qualified name. A later upload under the same name replaces what the project was.',
    }),
    manifest: artifactSchema('Object id of `manifest.json`, versions 10 to 12'),
    catalog: artifactSchema('Object id of `catalog.json`, version 1: adds columns and types').optional(),
    run_results: artifactSchema(
      'Object id of `run_results.json`, versions 4 to 6: adds states and times; tests that failed open incidents',
    ).optional(),
    sources: artifactSchema(
      'Object id of `sources.json`, version 3: adds freshness; stale sources open incidents',
    ).optional(),
    warehouse: z.string().min(1).max(256).optional().meta({
      description:
        'Name of the crawled source that holds the tables: the first part of their qualified names. dbt sources then have these tables upstream, and models point at those that they make.',
    }),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'DbtSource' });

export type DbtSource = z.infer<typeof dbtSourceSchema>;

export const dbtKind: SourceKind<DbtSource> = {
  idOf: ({ name }) => `dbt:${name}`,
  publicOf: (source) => ({ ...source }),
  hostsOf: () => [],
};
