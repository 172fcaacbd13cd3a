import { z } from 'zod';
import { pageSizeSchema, sourceNameSchema, type SourceKind } from './kind.ts';
import {
  patternsSchema,
  serverName,
  serverTarget,
  serverUrlSchema,
  withKeptPassword,
  type ServerTarget,
} from './server-url.ts';

const usualPort = 7687;

const urlRules = {
  schemes: ['bolt', 'bolt+s', 'bolt+ssc', 'neo4j', 'neo4j+s', 'neo4j+ssc'],
  form: 'bolt://user:password@host:port',
  port: usualPort,
  user: 'optional',
  path: 'none',
  parameters: {},
} as const;

/** Nodes of a label, and relationships of a type, that are looked at when nothing is said. */
export const defaultSampleNodes = 1_000;

/** A database of a Neo4j server from version 5.13. Reads are from the server that is named; routing is not followed. */
export const neo4jSourceSchema = z
  .strictObject({
    type: z.literal('neo4j'),
    url: serverUrlSchema(urlRules).meta({
      description:
        '`bolt://user:password@host:port`; `bolt+s://` for TLS, `bolt+ssc://` for TLS with whatever certificate. Kept sealed, and never given back.',
    }),
    name: sourceNameSchema('server').optional(),
    database: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/, 'must be 1 to 63 letters, digits, `.` or `-`')
      .optional()
      .meta({ description: "The database to read; the user's home database without it" }),
    labels: patternsSchema('Only labels that match one of these patterns').optional(),
    exclude_labels: patternsSchema('No label that matches one of these patterns').optional(),
    relationship_types: patternsSchema('Only relationship types that match one of these patterns').optional(),
    exclude_relationship_types: patternsSchema('No relationship type that matches one of these patterns').optional(),
    sample_nodes: z
      .int()
      .min(0)
      .max(100_000)
      .optional()
      .meta({
        description: `Nodes of a label, and relationships of a type, that are looked at for their properties, at most; ${defaultSampleNodes} without it, none with 0`,
      }),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'Neo4jSource' });

export type Neo4jSource = z.infer<typeof neo4jSourceSchema>;

export interface Neo4jTarget extends ServerTarget {
  tls: { verify: boolean } | undefined;
}

/** Reads a URL that {@link neo4jSourceSchema} has accepted. */
export function neo4jTarget(url: string): Neo4jTarget {
  const target = serverTarget(url, urlRules);
  const encrypted = target.scheme.includes('+');
  return { ...target, tls: encrypted ? { verify: target.scheme.endsWith('+s') } : undefined };
}

/** First part of every qualified name. */
export function neo4jRoot({ name, url }: Neo4jSource): string {
  return name ?? serverName(neo4jTarget(url), usualPort);
}

export const neo4jKind: SourceKind<Neo4jSource> = {
  idOf: (source) => `neo4j:${neo4jRoot(source)}${source.database === undefined ? '' : `/${source.database}`}`,
  publicOf({ url, ...rest }) {
    const { host, port } = neo4jTarget(url);
    return { ...rest, host, port };
  },
  hostsOf: ({ url }) => [{ host: neo4jTarget(url).host, field: '/source/url' }],
  withKeptSecrets: (given, kept) => ({ ...given, url: withKeptPassword(given.url, kept.url) }),
};
