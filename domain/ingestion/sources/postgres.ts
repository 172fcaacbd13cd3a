import { z } from 'zod';
import { pageSizeSchema, sourceNameSchema, type SourceKind } from './kind.ts';

/** Values of `sslmode` that a PostgreSQL source understands; they mean what they mean to libpq. */
export const sslModes = ['disable', 'prefer', 'require', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

const noNul = (text: string): boolean => !text.includes('\u0000');

/** A PostgreSQL database, version 13 or later, as any role that may sign in. */
export const postgresSourceSchema = z
  .strictObject({
    type: z.literal('postgres'),
    url: z
      .string()
      .max(4_096)
      .superRefine((url, context) => {
        const fault = postgresUrlFault(url);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      })
      .meta({
        description:
          '`postgres://user:password@host:port/database`, with `?sslmode=` if wanted. Kept sealed, and never given back.',
      }),
    name: sourceNameSchema('database').optional(),
    include_system: z.boolean().optional().meta({ description: 'Read `pg_catalog` and `information_schema` as well' }),
    schemas: z
      .array(z.string().min(1).max(256).refine(noNul, 'may not contain the NUL character (U+0000)'))
      .min(1)
      .max(100)
      .optional()
      .meta({
        description: 'Only schemas that match one of these patterns; `*` stands for any text, `?` for one character',
      }),
    page_size: pageSizeSchema.optional(),
  })
  .meta({ id: 'PostgresSource' });

export type PostgresSource = z.infer<typeof postgresSourceSchema>;

/** Where a PostgreSQL source is, taken from its URL. */
export interface PostgresTarget {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  sslMode: SslMode;
}

/** Reads a URL that {@link postgresSourceSchema} has accepted. */
export function postgresTarget(url: string): PostgresTarget {
  const parsed = new URL(url);
  const mode = sslModes.find((known) => known === parsed.searchParams.get('sslmode'));
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 5432 : Number(parsed.port),
    database: decodeURIComponent(parsed.pathname.slice(1)),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    sslMode: mode ?? 'prefer',
  };
}

/** What is wrong with the URL; undefined when it can be used. Never repeats the URL, which holds a password. */
function postgresUrlFault(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['postgres:', 'postgresql:'].includes(parsed.protocol)) {
    return 'must have the form postgres://user:password@host:port/database';
  }
  if (parsed.hostname === '' || parsed.hostname.includes('%')) return 'must name a host';
  if (parsed.username === '') return 'must name a user';
  if (!/^\/[^/]+$/.test(parsed.pathname)) return 'must name one database';
  if (parsed.hash !== '') return 'may not have a fragment (#…)';
  for (const [name, value] of parsed.searchParams) {
    if (name !== 'sslmode') return `has a parameter that is not supported: ${name}`;
    if (!sslModes.some((mode) => mode === value)) return `sslmode must be one of ${sslModes.join(', ')}`;
  }
  try {
    if (parsed.hostname.length > 253) return 'names a host that is longer than 253 characters';
    if (new TextEncoder().encode(decodeURIComponent(parsed.pathname.slice(1))).length > 63)
      return 'names a database that is longer than 63 bytes';
    const parts = [parsed.pathname, parsed.username, parsed.password].map(decodeURIComponent);
    return parts.every(noNul) ? undefined : 'may not contain the NUL character (U+0000)';
  } catch {
    return 'contains % that does not begin an escape; write it as %25';
  }
}

export const postgresKind: SourceKind<PostgresSource> = {
  idOf(source) {
    if (source.name !== undefined) return `postgres:${source.name}`;
    const { host, port, database } = postgresTarget(source.url);
    return `postgres:${host.toLowerCase()}:${port}/${database}`;
  },
  publicOf({ url, ...rest }) {
    const { host, port, database } = postgresTarget(url);
    return { ...rest, host, port, database };
  },
  hostsOf: ({ url }) => [{ host: postgresTarget(url).host, field: '/source/url' }],
  withKeptSecrets(given, kept) {
    const [now, before] = [postgresTarget(given.url), postgresTarget(kept.url)];
    const samePlace = (['host', 'port', 'database', 'user'] as const).every((part) => now[part] === before[part]);
    // Encrypted before and in the clear now would show the password to whoever listens.
    if (now.password !== '' || !samePlace || now.sslMode !== before.sslMode) return given;
    const url = new URL(given.url);
    url.password = new URL(kept.url).password;
    return { ...given, url: url.href };
  },
};
