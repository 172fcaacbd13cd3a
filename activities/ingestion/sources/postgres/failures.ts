import { DatabaseError } from 'pg';
import { LilyError } from '#domain/errors.ts';
import type { PostgresTarget } from '#domain/ingestion/sources/postgres.ts';
import type { ByteMeter } from '#platform/byte-meter.ts';
import { passing, permanent, unreachable, type Place } from '../shared/source-error.ts';

/** SQLSTATE classes and codes that trying again cannot mend, with what to tell people. */
const permanentCodes: readonly [prefix: string, says: (target: PostgresTarget) => string][] = [
  ['28', ({ user }) => `does not let the user ${user} in with that password`],
  ['3D000', ({ database }) => `has no database ${database}`],
  ['42501', ({ user }) => `does not allow the user ${user} to read its catalogue`],
  ['42', () => 'did not understand a catalogue query; is it PostgreSQL 13 or later?'],
];

/**
 * Says what went wrong with a source, in one sentence without credentials. What the driver said is left out where
 * it could repeat what it was given.
 */
export function asSourceError(error: unknown, target: PostgresTarget, meter?: ByteMeter): LilyError {
  if (error instanceof LilyError) return error;
  const at: Place = { place: `${target.host}:${target.port}`, secrets: [target.password] };
  if (!(error instanceof DatabaseError) || meter?.exceeded !== undefined) return unreachable(error, at, meter);
  const code = error.code ?? '';
  const rule = permanentCodes.find(([prefix]) => code.startsWith(prefix));
  return rule !== undefined ? permanent(at, rule[1](target)) : passing(at, `reports: ${error.message} (${code})`);
}
