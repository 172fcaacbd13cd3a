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

/** Values of `ssl-mode` that a MySQL source understands; they mean what they mean to the `mysql` client. */
export const mysqlSslModes = ['disabled', 'preferred', 'required', 'verify-identity'] as const;
export type MysqlSslMode = (typeof mysqlSslModes)[number];

const usualPort = 3306;

const urlRules = {
  schemes: ['mysql', 'mariadb'],
  form: 'mysql://user:password@host:port',
  port: usualPort,
  user: 'needed',
  path: 'optional',
  parameters: { 'ssl-mode': mysqlSslModes },
} as const;

/** A MySQL server from version 8 or a MariaDB server from 10.5, as any user that may sign in. */
export const mysqlSourceSchema = z
  .strictObject({
    type: z.literal('mysql'),
    url: serverUrlSchema(urlRules).meta({
      description:
        '`mysql://user:password@host:port`, with `/database` for one database alone and `?ssl-mode=` if wanted. Kept sealed, and never given back.',
    }),
    name: sourceNameSchema('server').optional(),
    databases: patternsSchema('Only databases that match one of these patterns').optional(),
    exclude_databases: patternsSchema('No database that matches one of these patterns').optional(),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'MysqlSource' });

export type MysqlSource = z.infer<typeof mysqlSourceSchema>;

export interface MysqlTarget extends ServerTarget {
  sslMode: MysqlSslMode;
}

/** Reads a URL that {@link mysqlSourceSchema} has accepted. */
export function mysqlTarget(url: string): MysqlTarget {
  const target = serverTarget(url, urlRules);
  const sslMode = mysqlSslModes.find((mode) => mode === target.parameters['ssl-mode']) ?? 'preferred';
  return { ...target, sslMode };
}

/** First part of every qualified name. */
export function mysqlRoot({ name, url }: MysqlSource): string {
  return name ?? serverName(mysqlTarget(url), usualPort);
}

export const mysqlKind: SourceKind<MysqlSource> = {
  // A database of a server is another source than the server: each deletes only what it reads.
  idOf(source) {
    const { path } = mysqlTarget(source.url);
    return `mysql:${mysqlRoot(source)}${path === '' ? '' : `/${path}`}`;
  },
  publicOf({ url, ...rest }) {
    const { host, port, path } = mysqlTarget(url);
    return { ...rest, host, port, ...(path === '' ? {} : { database: path }) };
  },
  hostsOf: ({ url }) => [{ host: mysqlTarget(url).host, field: '/source/url' }],
  withKeptSecrets: (given, kept) => ({ ...given, url: withKeptPassword(given.url, kept.url) }),
};
