import { DatabaseError } from 'pg';
import { LilyError } from '#domain/errors.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';
import type { PostgresTarget } from '#domain/ingestion/sources/postgres.ts';

/** SQLSTATE classes and codes that trying again cannot mend, with what to tell people. */
const permanent: readonly [prefix: string, says: (target: PostgresTarget) => string][] = [
  ['28', ({ user }) => `does not let the user ${user} in with that password`],
  ['3D000', ({ database }) => `has no database ${database}`],
  ['42501', ({ user }) => `does not allow the user ${user} to read its catalogue`],
  ['42', () => 'did not understand a catalogue query; is it PostgreSQL 13 or later?'],
];

const network: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'broke the connection off',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  ETIMEDOUT: 'does not answer',
};

/**
 * Says what went wrong with a source, in one sentence without credentials. What the driver said is left out where
 * it could repeat what it was given.
 */
export function asSourceError(error: unknown, target: PostgresTarget): LilyError {
  if (error instanceof LilyError) return error;
  const place = `${target.host}:${target.port}`;
  const options = { field: '/source/url' };
  if (error instanceof DatabaseError) {
    const code = error.code ?? '';
    const rule = permanent.find(([prefix]) => code.startsWith(prefix));
    if (rule !== undefined)
      return new PermanentSourceError('source-unreachable', `${place} ${rule[1](target)}.`, options);
    return new LilyError(
      'source-unreachable',
      `${place} reports: ${withoutSecret(error.message, target)} (${code}).`,
      options,
    );
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const says = network[code] ?? `cannot be read: ${withoutSecret(message, target)}`;
  return new LilyError('source-unreachable', `${place} ${says}.`, options);
}

function withoutSecret(message: string, target: PostgresTarget): string {
  return target.password === '' ? message : message.replaceAll(target.password, '***');
}
