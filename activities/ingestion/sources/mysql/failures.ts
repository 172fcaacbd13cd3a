import type { LilyError } from '#domain/errors.ts';
import type { MysqlTarget } from '#domain/ingestion/sources/mysql.ts';
import type { ByteMeter } from '#platform/byte-meter.ts';
import { passing, permanent, unreachable, type Place } from '../shared/source-error.ts';

/** Errors of the server that trying again cannot mend, with what to tell people. */
const refusals: Readonly<Record<string, (target: MysqlTarget) => string>> = {
  ER_ACCESS_DENIED_ERROR: ({ user }) => `does not let the user ${user} in with that password`,
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: ({ user }) => `does not let the user ${user} in with that password`,
  ER_HOST_NOT_PRIVILEGED: ({ user }) => `does not let the user ${user} in from the address of this worker`,
  ER_DBACCESS_DENIED_ERROR: ({ user, path }) => `does not allow the user ${user} to read the database ${path}`,
  ER_TABLEACCESS_DENIED_ERROR: ({ user }) => `does not allow the user ${user} to read its catalogue`,
  ER_SPECIFIC_ACCESS_DENIED_ERROR: ({ user }) => `does not allow the user ${user} to read its catalogue`,
  ER_MUST_CHANGE_PASSWORD: ({ user }) => `wants the user ${user} to change an expired password first`,
  ER_MUST_CHANGE_PASSWORD_LOGIN: ({ user }) => `wants the user ${user} to change an expired password first`,
  ER_ACCOUNT_HAS_BEEN_LOCKED: ({ user }) => `has locked the account of the user ${user}`,
  HANDSHAKE_NO_SSL_SUPPORT: ({ sslMode }) => `does not speak TLS, which ssl-mode=${sslMode} asks for`,
};

export function placeOf({ host, port, password }: MysqlTarget): Place {
  return { place: `${host}:${port}`, secrets: [password] };
}

/** Says what went wrong, in one sentence without credentials. */
export function asMysqlError(error: unknown, target: MysqlTarget, meter: ByteMeter): LilyError {
  const at = placeOf(target);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const says = refusals[code];
  if (says !== undefined) return permanent(at, says(target), error);
  if (error instanceof Error && 'sqlState' in error && meter.exceeded === undefined)
    return passing(at, `reports: ${error.message} (${code})`, error);
  return unreachable(error, at, meter);
}
