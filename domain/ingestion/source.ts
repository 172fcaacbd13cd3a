import { z } from 'zod';

export const sourceTypes = ['postgres'] as const;
export type SourceType = (typeof sourceTypes)[number];

/** Values of `sslmode` that a PostgreSQL source understands; they mean what they mean to libpq. */
export const sslModes = ['disable', 'prefer', 'require', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

/** Entities that one page holds, about: a page ends with a whole relation. */
export const defaultSourcePageSize = 2_000;

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
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'must be 1 to 63 letters, digits, `_` or `-`')
      .optional()
      .meta({
        description:
          'What the database is called in Lily, and the first part of every qualified name. Without it the own name of the database is used: give one where two databases of a tenant have the same name.',
      }),
    include_system: z.boolean().optional().meta({ description: 'Read `pg_catalog` and `information_schema` as well' }),
    schemas: z
      .array(z.string().min(1).max(256).refine(noNul, 'may not contain the NUL character (U+0000)'))
      .min(1)
      .max(100)
      .optional()
      .meta({
        description: 'Only schemas that match one of these patterns; `*` stands for any text, `?` for one character',
      }),
    page_size: z
      .int()
      .min(50)
      .max(5_000)
      .optional()
      .meta({ description: `Entities in a page, about; ${defaultSourcePageSize} without it` }),
  })
  .meta({ id: 'PostgresSource' });

export type PostgresSource = z.infer<typeof postgresSourceSchema>;

/** What a run reads. */
export const sourceSchema = z.discriminatedUnion('type', [postgresSourceSchema], {
  error: `must have a "type", one of: ${sourceTypes.join(', ')}`,
});

export type SourceOptions = z.infer<typeof sourceSchema>;

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

/**
 * Names the source: the same place always gives the same id, whoever signs in and whatever part is read.
 * It never holds credentials.
 */
export function sourceIdOf(source: SourceOptions): string {
  if (source.name !== undefined) return `${source.type}:${source.name}`;
  const { host, port, database } = postgresTarget(source.url);
  return `${source.type}:${host.toLowerCase()}:${port}/${database}`;
}

/** The source as people may see it: without user and password. */
export type PublicSource = Omit<SourceOptions, 'url'> & { host: string; port: number; database: string };

export function publicSource(source: SourceOptions): PublicSource {
  const { url, ...rest } = source;
  const { host, port, database } = postgresTarget(url);
  return { ...rest, host, port, database };
}
