import type { SourceOptions, SourceType } from '#domain/ingestion/source.ts';
import type { Source, SourceContext } from '../source.ts';
import { MongodbCatalog } from './mongodb/mongodb-source.ts';
import { FileReader } from './file/file-source.ts';
import { DbtArtifacts } from './dbt/dbt-source.ts';
import { KafkaCatalog } from './kafka/kafka-source.ts';
import { MysqlCatalog } from './mysql/mysql-source.ts';
import { Neo4jCatalog } from './neo4j/neo4j-source.ts';
import { PostgresCatalog } from './postgres/postgres-source.ts';

type Openers = {
  [Type in SourceType]: (options: Extract<SourceOptions, { type: Type }>, context: SourceContext) => Source;
};

/** Every type of source, and what reads it. A type without a reader does not compile. */
const openers: Openers = {
  postgres: (options, context) => new PostgresCatalog(options, context),
  file: (options, context) => new FileReader(options, context),
  mysql: (options, context) => new MysqlCatalog(options, context),
  mongodb: (options, context) => new MongodbCatalog(options, context),
  dbt: (options, context) => new DbtArtifacts(options, context),
  neo4j: (options, context) => new Neo4jCatalog(options, context),
  kafka: (options, context) => new KafkaCatalog(options, context),
};

/** Makes the reader of a source. Nothing is connected before the first question. */
export function openSource(options: SourceOptions, context: SourceContext): Source {
  const open = openers[options.type] as (options: SourceOptions, context: SourceContext) => Source;
  return open(options, context);
}
