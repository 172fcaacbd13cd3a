import { jarServer } from './maven.ts';

export const KAFKA_VERSION = '4.1.0';
export const NEO4J_VERSION = '5.26.30';
export const TEMPORAL_TEST_SERVER_VERSION = '1.38.0';

export const kafkaServer = jarServer('kafka', `Kafka ${KAFKA_VERSION}`, KAFKA_VERSION);
export const neo4jServer = jarServer('neo4j', `Neo4j ${NEO4J_VERSION}`, NEO4J_VERSION);
export const temporalTestServer = jarServer(
  'temporal-test-server',
  `the Temporal test server ${TEMPORAL_TEST_SERVER_VERSION}`,
  TEMPORAL_TEST_SERVER_VERSION,
);
