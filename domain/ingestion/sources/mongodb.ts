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

const usualPort = 27_017;
const flag = ['true', 'false'] as const;

const urlRules = {
  schemes: ['mongodb', 'mongodb+srv'],
  form: 'mongodb://user:password@host:port',
  port: usualPort,
  user: 'optional',
  path: 'optional',
  parameters: {
    authSource: undefined,
    authMechanism: ['SCRAM-SHA-1', 'SCRAM-SHA-256'],
    tls: flag,
    ssl: flag,
    tlsInsecure: flag,
    // These say how writes and fail-over go, which a reader of one server has no use for; most URLs carry them.
    appName: undefined,
    directConnection: flag,
    readPreference: undefined,
    replicaSet: undefined,
    retryWrites: flag,
    w: undefined,
  },
} as const;

/** Documents of a collection that are looked at, when nothing is said. */
export const defaultSampleDocuments = 1_000;

/** A MongoDB server from version 5, alone, of a replica set, or a `mongos`. Reads are from the server that is named. */
export const mongodbSourceSchema = z
  .strictObject({
    type: z.literal('mongodb'),
    url: serverUrlSchema(urlRules).meta({
      description:
        '`mongodb://user:password@host:port` or `mongodb+srv://…`, with `authSource`, `tls` and so on. Kept sealed, and never given back.',
    }),
    name: sourceNameSchema('server').optional(),
    databases: patternsSchema('Only databases that match one of these patterns').optional(),
    exclude_databases: patternsSchema('No database that matches one of these patterns').optional(),
    collections: patternsSchema('Only collections and views that match one of these patterns').optional(),
    exclude_collections: patternsSchema('No collection or view that matches one of these patterns').optional(),
    sample_documents: z
      .int()
      .min(0)
      .max(20_000)
      .optional()
      .meta({
        description: `Documents of a collection that are looked at for its fields, at most; ${defaultSampleDocuments} without it, none with 0`,
      }),
    sampling: z.enum(['ends', 'random']).optional().meta({
      description:
        'Which documents of a larger collection: the oldest and the newest by `_id` (`ends`, the same ones every time), or `random` ones',
    }),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'MongodbSource' });

export type MongodbSource = z.infer<typeof mongodbSourceSchema>;

export interface MongodbTarget extends ServerTarget {
  /** Whether the host is looked up as a service, and stands for several servers. */
  isService: boolean;
  tls: { verify: boolean } | undefined;
  authSource: string;
  authMechanism: 'SCRAM-SHA-1' | 'SCRAM-SHA-256' | undefined;
}

/** Reads a URL that {@link mongodbSourceSchema} has accepted. */
export function mongodbTarget(url: string): MongodbTarget {
  const target = serverTarget(url, urlRules);
  const { tls, ssl, tlsInsecure, authSource, authMechanism } = target.parameters;
  const isService = target.scheme === 'mongodb+srv';
  const encrypted = (tls ?? ssl ?? String(isService)) === 'true';
  return {
    ...target,
    isService,
    tls: encrypted ? { verify: tlsInsecure !== 'true' } : undefined,
    authSource: authSource ?? (target.path === '' ? 'admin' : target.path),
    authMechanism: urlRules.parameters.authMechanism.find((mechanism) => mechanism === authMechanism),
  };
}

/** First part of every qualified name. */
export function mongodbRoot({ name, url }: MongodbSource): string {
  return name ?? serverName(mongodbTarget(url), usualPort);
}

export const mongodbKind: SourceKind<MongodbSource> = {
  idOf: (source) => `mongodb:${mongodbRoot(source)}`,
  publicOf({ url, ...rest }) {
    const { host, port, isService } = mongodbTarget(url);
    return { ...rest, host, ...(isService ? {} : { port }) };
  },
  // The name of a service need not be a host; the servers behind it are judged when they are connected to.
  hostsOf({ url }) {
    const { host, isService } = mongodbTarget(url);
    return isService ? [] : [{ host, field: '/source/url' }];
  },
  withKeptSecrets: (given, kept) => ({ ...given, url: withKeptPassword(given.url, kept.url) }),
};
