import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { ensureTopics } from '#platform/kafka/topics.ts';
import { createLogger } from '#platform/logger.ts';
import { ensureApiKeyIndexes } from '#platform/mongo/api-keys.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { ensurePipelineIndexes } from '#platform/mongo/collections.ts';
import { ensureFollowedTopicIndexes } from '#platform/mongo/followed-topics.ts';
import { ensureDryRunIndexes } from '#platform/mongo/dry-runs.ts';
import { ensureIdempotencyIndexes } from '#platform/mongo/idempotency.ts';
import { ensureIncidentIndexes } from '#platform/mongo/incidents.ts';
import { ensureIntegrationIndexes } from '#platform/mongo/integrations.ts';
import { ensureLineageNodeIndexes } from '#platform/mongo/lineage-nodes.ts';
import { ensureLineageRunIndexes } from '#platform/mongo/lineage-runs.ts';
import { ensureRuleSetIndexes } from '#platform/mongo/rule-sets.ts';
import { ensureNameIndex } from '#platform/mongo/named-entities.ts';
import { ensureRunIndexes } from '#platform/mongo/runs.ts';
import { ensureTransformationJobIndexes } from '#platform/mongo/transformation-jobs.ts';
import { ensureObjectIndexes } from '#platform/objects/object-store.ts';
import { ensureWebhookIndexes } from '#platform/mongo/webhook-endpoints.ts';
import { ensureScheduleIndexes } from '#platform/mongo/schedules.ts';
import { ensureSourceIndexes } from '#platform/mongo/sources.ts';
import { connectNeo4j, ensureGraphConstraints } from '#platform/neo4j/client.ts';
import { connectTemporal } from '#platform/temporal/client.ts';
import { ensureSearchAttributes } from '#platform/temporal/search-attributes.ts';

/** Prepares the servers for Lily: topics, indexes, constraints and search attributes. Run it at every deployment; it is harmless to repeat. */
const config = loadConfig(process.env);
const logger = createLogger({ logLevel: config.logLevel, service: 'setup' });

const { client: mongo, db } = await connectMongo(config.mongo);
const neo4j = connectNeo4j(config.neo4j);
const temporal = await connectTemporal(config.temporal);
try {
  await Promise.all([
    ensureTopics(createKafka(config.kafka, 'lily-setup', logger), config.kafka),
    ensurePipelineIndexes(db),
    ensureApiKeyIndexes(db),
    ensureLineageRunIndexes(db),
    ensureLineageNodeIndexes(db),
    ensureIdempotencyIndexes(db),
    ensureRuleSetIndexes(db),
    ensureRunIndexes(db),
    ensureTransformationJobIndexes(db),
    ensureIntegrationIndexes(db),
    ensureIncidentIndexes(db),
    ensureNameIndex(db),
    ensureObjectIndexes(db),
    ensureDryRunIndexes(db),
    ensureWebhookIndexes(db),
    ensureFollowedTopicIndexes(db),
    ensureSourceIndexes(db),
    ensureScheduleIndexes(db),
    ensureGraphConstraints(neo4j),
    ensureSearchAttributes(temporal),
  ]);
  logger.info('topics, indexes, constraints and search attributes are in place');
} finally {
  await Promise.all([mongo.close(), neo4j.close(), temporal.connection.close()]);
}
