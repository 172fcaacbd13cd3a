import type { LilyError } from '#domain/errors.ts';
import { neo4jTarget, type Neo4jSource, type Neo4jTarget } from '#domain/ingestion/sources/neo4j.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { openForeignNeo4j, type ForeignNeo4j } from '#platform/neo4j/foreign-neo4j.ts';
import type { SourceContext } from '../../source.ts';
import { passing, permanent, unreachable, type Place } from '../shared/source-error.ts';

/** A read-only session on one database. Every failure is a LilyError. */
export interface Neo4jSession extends Pick<ForeignNeo4j, 'query' | 'close'> {
  /** The name of the database. */
  database: string;
  version: string;
  /** `community`, `enterprise`, … */
  edition: string;
}

const oldest = [5, 13] as const;

/** Codes of the server that trying again cannot mend, with what to tell people. */
const refusals: readonly [code: string, says: (target: Neo4jTarget, database: string) => string][] = [
  [
    'Security.Unauthorized',
    ({ user }) => `does not let the user ${user === '' ? '(none)' : user} in with that password`,
  ],
  ['Security.CredentialsExpired', ({ user }) => `wants the user ${user} to change an expired password first`],
  [
    'Security.Forbidden',
    ({ user }) => `does not allow the user ${user} to read the schema of the database; it needs the role reader`,
  ],
  ['Database.DatabaseNotFound', (_target, database) => `has no database ${database}, or does not show it`],
  ['Statement.SyntaxError', () => 'did not understand a query about its schema; is it Neo4j 5.13 or later?'],
];

/** Signs in. @throws LilyError `source-unreachable` or `source-refused` */
export async function openNeo4jSession(source: Neo4jSource, context: SourceContext): Promise<Neo4jSession> {
  const target = neo4jTarget(source.url);
  const meter = new ByteMeter();
  const { database } = source;
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asNeo4jError(error, target, database, meter);
    }
  };
  const server = await guard(() => openForeignNeo4j(target, { database, allowPrivate: context.allowPrivate, meter }));
  const query = async <Row extends object>(cypher: string, parameters?: Record<string, unknown>): Promise<Row[]> =>
    guard(() => server.query<Row>(cypher, parameters));
  const close = (): Promise<void> => server.close();
  try {
    const components = await query<{ name: string; versions: string[]; edition: string }>(
      'CALL dbms.components() YIELD name, versions, edition RETURN name, versions, edition',
    );
    const kernel = components.find(({ name }) => name === 'Neo4j Kernel');
    const version = kernel?.versions[0] ?? '';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
      throw permanent(placeOf(target), `is Neo4j ${version}; ${oldest.join('.')} or later is needed`);
    }
    const [info] = await query<{ name: string }>('CALL db.info() YIELD name RETURN name');
    return { query, close, database: info?.name ?? '', version, edition: kernel?.edition ?? '' };
  } catch (error) {
    await close();
    throw error;
  }
}

export function placeOf({ host, port, password }: Neo4jTarget): Place {
  return { place: `${host}:${port}`, secrets: [password] };
}

function asNeo4jError(error: unknown, target: Neo4jTarget, database = '', meter: ByteMeter): LilyError {
  const at = placeOf(target);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('Neo.') || meter.exceeded !== undefined) return unreachable(error, at, meter);
  const rule = refusals.find(([end]) => code.endsWith(end));
  if (rule !== undefined) return permanent(at, rule[1](target, database), error);
  return passing(at, `reports: ${error instanceof Error ? error.message : code}`, error);
}
