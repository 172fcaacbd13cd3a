import { z } from 'zod';

/** Where a server is and who signs in: what a URL of the form `scheme://user:password@host:port/path?…` says. */
export interface ServerTarget {
  scheme: string;
  host: string;
  port: number;
  user: string;
  password: string;
  /** The path without its slash; empty when there is none. */
  path: string;
  parameters: Readonly<Record<string, string>>;
}

/** Which URLs a type of source takes. */
export interface ServerUrlRules {
  schemes: readonly string[];
  /** For people: `mysql://user:password@host:port`. */
  form: string;
  port: number;
  user: 'needed' | 'optional';
  /** Whether one name may stand behind the host. */
  path: 'optional' | 'none';
  /** Parameters, each with its values; without values it takes any. */
  parameters: Readonly<Record<string, readonly string[] | undefined>>;
}

const noNul = (text: string): boolean => !text.includes('\u0000');
const nulMessage = 'may not contain the NUL character (U+0000)';

/** The option `url` of a server. What it says of a bad URL never repeats it, because it holds a password. */
export function serverUrlSchema(rules: ServerUrlRules) {
  return z
    .string()
    .max(4_096)
    .superRefine((url, context) => {
      const message = serverUrlFault(url, rules);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    });
}

/** Reads a URL that {@link serverUrlSchema} has accepted. */
export function serverTarget(url: string, rules: ServerUrlRules): ServerTarget {
  const parsed = new URL(url);
  return {
    scheme: parsed.protocol.slice(0, -1),
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? rules.port : Number(parsed.port),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    path: decodeURIComponent(parsed.pathname.replace(/^\//, '')),
    parameters: Object.fromEntries(parsed.searchParams),
  };
}

/** `host`, or `host:port` where the port is not the usual one: what the server is called when it was given no name. */
export function serverName({ host, port }: { host: string; port: number }, usualPort: number): string {
  const name = host.toLowerCase();
  return port === usualPort ? name : `${name}:${port}`;
}

/**
 * The given URL with the password of the kept one, where none is given and all else is the same: the place, the user, and how the
 * way there is encrypted.
 */
export function withKeptPassword(given: string, kept: string): string {
  const [now, before] = [new URL(given), new URL(kept)];
  if (now.password !== '') return given;
  const { password } = before;
  before.password = '';
  if (now.href !== before.href) return given;
  now.password = password;
  return now.href;
}

/** Patterns with `*` and `?` that choose names. */
export function patternsSchema(description: string) {
  return z
    .array(z.string().min(1).max(256).refine(noNul, nulMessage))
    .min(1)
    .max(100)
    .meta({ description: `${description}; \`*\` stands for any text, \`?\` for one character` });
}

function serverUrlFault(url: string, rules: ServerUrlRules): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !rules.schemes.includes(parsed.protocol.slice(0, -1)))
    return `must have the form ${rules.form}`;
  if (parsed.hostname === '' || parsed.hostname.includes('%')) return 'must name a host';
  if (parsed.hostname.includes(',')) return 'must name one host: it is the one that Lily reads from';
  if (parsed.hostname.length > 200) return 'names a host that is longer than 200 characters';
  if (parsed.username === '' && rules.user === 'needed') return 'must name a user';
  if (parsed.username === '' && parsed.password !== '') return 'must name a user, beside the password';
  if (!/^\/?$/.test(parsed.pathname)) {
    if (rules.path === 'none') return `must have the form ${rules.form}, without a path`;
    if (!/^\/[^/]+$/.test(parsed.pathname)) return 'may name one database';
  }
  if (parsed.hash !== '') return 'may not have a fragment (#…)';
  for (const [name, value] of parsed.searchParams) {
    if (!Object.hasOwn(rules.parameters, name)) return `has a parameter that is not supported: ${name}`;
    const values = rules.parameters[name];
    if (values !== undefined && !values.includes(value)) return `${name} must be one of ${values.join(', ')}`;
  }
  try {
    const parts = [parsed.pathname, parsed.username, parsed.password, ...parsed.searchParams.values()];
    const plain = parts.map((part, index) => (index < 3 ? decodeURIComponent(part) : part));
    return plain.every(noNul) ? undefined : nulMessage;
  } catch {
    return 'contains % that does not begin an escape; write it as %25';
  }
}
