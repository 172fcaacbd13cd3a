import { z } from 'zod';
import { mongodbKind, mongodbSourceSchema } from './sources/mongodb.ts';
import { dbtKind, dbtSourceSchema } from './sources/dbt.ts';
import { kafkaKind, kafkaSourceSchema } from './sources/kafka.ts';
import { mysqlKind, mysqlSourceSchema } from './sources/mysql.ts';
import { fileKind, fileSourceSchema } from './sources/file.ts';
import { neo4jKind, neo4jSourceSchema } from './sources/neo4j.ts';
import { postgresKind, postgresSourceSchema } from './sources/postgres.ts';
import type { PublicSource, SourceKind } from './sources/kind.ts';

const schemas = [
  postgresSourceSchema,
  mysqlSourceSchema,
  mongodbSourceSchema,
  neo4jSourceSchema,
  kafkaSourceSchema,
  fileSourceSchema,
  dbtSourceSchema,
] as const;

export const sourceTypes = schemas.map((schema) => schema.shape.type.value);

/** What a run reads: one of the types of source, each with options of its own. */
export const sourceSchema = z.discriminatedUnion('type', schemas, {
  error: `must have a "type", one of: ${sourceTypes.join(', ')}`,
});

export type SourceOptions = z.infer<typeof sourceSchema>;
export type SourceType = SourceOptions['type'];

/** Every type of source. A type without a line here does not compile. */
const kinds: { [Type in SourceType]: SourceKind<Extract<SourceOptions, { type: Type }>> } = {
  postgres: postgresKind,
  file: fileKind,
  mysql: mysqlKind,
  mongodb: mongodbKind,
  dbt: dbtKind,
  neo4j: neo4jKind,
  kafka: kafkaKind,
};

function kindOf(source: SourceOptions): SourceKind<SourceOptions> {
  return kinds[source.type];
}

/**
 * Names the source: the same place always gives the same id, whoever signs in and whatever part is read.
 * It never holds credentials.
 */
export function sourceIdOf(source: SourceOptions): string {
  return kindOf(source).idOf(source);
}

/** The source as people may see it: without credentials. */
export function publicSource(source: SourceOptions): PublicSource {
  return kindOf(source).publicOf(source);
}

/** The hosts that a source names, each with the JSON pointer of its field. */
export function sourceHosts(source: SourceOptions): { host: string; field: string }[] {
  return kindOf(source).hostsOf(source);
}

/** The given options with the credentials of the kept ones where none are given and they are for the same place. */
export function withKeptSecrets(given: SourceOptions, kept: SourceOptions): SourceOptions {
  return given.type === kept.type ? (kindOf(given).withKeptSecrets?.(given, kept) ?? given) : given;
}
