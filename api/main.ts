import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { GroupCommitProducer } from '#platform/kafka/producer.ts';
import { createLogger } from '#platform/logger.ts';
import { apiKeys, type ApiKeys } from '#platform/mongo/api-keys.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { entities } from '#platform/mongo/entities.ts';
import { followedTopics } from '#platform/mongo/followed-topics.ts';
import { idempotencyKeys } from '#platform/mongo/idempotency.ts';
import { incidentPolicies } from '#platform/mongo/incident-policies.ts';
import { incidents } from '#platform/mongo/incidents.ts';
import { integrations } from '#platform/mongo/integrations.ts';
import { lineageNodes } from '#platform/mongo/lineage-nodes.ts';
import { lineageRuns } from '#platform/mongo/lineage-runs.ts';
import { records } from '#platform/mongo/records.ts';
import { webhookEndpoints } from '#platform/mongo/webhook-endpoints.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { lineage } from '#platform/neo4j/lineage.ts';
import { createTokenVerifier } from '#platform/oidc/token-verifier.ts';
import { secretBox } from '#platform/secret-box.ts';
import { connectTemporal } from '#platform/temporal/client.ts';
import { incidentReports } from '#platform/temporal/incidents.ts';
import { apiKeyDescription } from './access/api-keys/openapi.ts';
import { apiKeyRouter } from './access/api-keys/router.ts';
import { withApiKeys } from './access/api-keys/verifier.ts';
import { signIn } from './access/sign-in.ts';
import { createApp } from './app.ts';
import { intake } from './assets/intake.ts';
import { assetReads } from './assets/read-service.ts';
import { ReceiptBoard } from './assets/receipt-board.ts';
import { closeServer, httpServer, listen } from './http/server.ts';
import { ingestionDescription } from './ingestion/openapi.ts';
import { ingestionRouters } from './ingestion/index.ts';
import { incidentControl } from './incidents/incident-control.ts';
import { incidentsDescription } from './incidents/openapi.ts';
import { incidentRouter } from './incidents/router.ts';
import { IntegrationService } from './integrations/integration-service.ts';
import { integrationsDescription } from './integrations/openapi.ts';
import { integrationRouter } from './integrations/router.ts';
import { openLineageDescription } from './openlineage/openapi.ts';
import { openLineageRouter } from './openlineage/router.ts';
import { dependencyProbes } from './operations/probes.ts';
import { readinessCheck } from './operations/readiness.ts';
import { NotificationFeed } from './realtime/feed.ts';
import { NotificationServer } from './realtime/server.ts';
import { IngestServer, ingestPath } from './streams/ingest-server.ts';
import { topicControl } from './streams/topic-control.ts';
import { topicDescription } from './streams/topic-openapi.ts';
import { topicRouter } from './streams/topic-router.ts';
import { persistently, waitingApp } from './start-up.ts';
import { transformationDescription, transformationRouter } from './transformation/domain.ts';
import { webhookDescription } from './webhooks/openapi.ts';
import { webhookRouter } from './webhooks/router.ts';

/** Longest that requests under way may take once the process is told to end. */
const shutdownGraceMs = 8_000;
/** Longest that connections may take to close after that: a server that is down must not hold the process. */
const closingMs = 5_000;

const config = loadConfig(process.env);
const logger = createLogger({ logLevel: config.logLevel, service: 'api' });
const instanceId = randomUUID();
const stopping = new AbortController();

let keys: ApiKeys | undefined;
const verify = withApiKeys(createTokenVerifier(config.oidc), () => keys);
const neo4j = connectNeo4j(config.neo4j);
const kafka = createKafka(config.kafka, `lily-api-${instanceId}`, logger);
const producer = new GroupCommitProducer(kafka);
const receipts = new ReceiptBoard();
const feed = new NotificationFeed(kafka, { instanceId, logger, onReceipt: (receipt) => receipts.settle(receipt) });
const notifications = new NotificationServer({ verify, feed, logger });
const door = intake(producer, receipts, instanceId);
let doorIsOpen = false;
const ingestSockets = new IngestServer({ verify, intake: door, ready: () => doorIsOpen, logger });
const probes = dependencyProbes({ neo4j, feed, issuer: config.oidc.issuer });
const readiness = readinessCheck(probes.all, logger);

let serve: RequestListener = waitingApp(readiness, logger);
const server = httpServer((request, response) => serve(request, response));
server.on('upgrade', (request, socket, head) => {
  const isIngest = request.url?.split('?', 1)[0] === ingestPath;
  void (isIngest ? ingestSockets : notifications).upgrade(request, socket, head);
});

const wait = <T>(what: string, attempt: () => Promise<T>): Promise<T> =>
  persistently(what, attempt, logger, stopping.signal);

/** Serves as soon as what every request needs is there; notifications follow when they can. */
async function start(): Promise<void> {
  await listen(server, config.api.port, config.api.host);
  logger.info({ host: config.api.host, port: config.api.port, instance: instanceId }, 'listening');
  void letNotificationsFlow();
  const [mongo, temporal] = await Promise.all([
    wait('MongoDB', () => connectMongo(config.mongo)),
    wait('Temporal', () => connectTemporal(config.temporal)),
    wait('Kafka', () => producer.connect()),
  ]);
  probes.found({ mongo, temporal });
  doorIsOpen = true;
  keys = apiKeys(mongo.db);
  const signedIn = signIn(verify);
  const idempotency = idempotencyKeys(mongo.db);
  serve = createApp({
    logger,
    readiness,
    signedIn,
    reads: assetReads(entities(mongo.db)),
    records: records(mongo.db),
    lineage: lineage(neo4j),
    intake: door,
    idempotency,
    domains: [
      {
        router: openLineageRouter({
          signedIn,
          intake: door,
          nodes: lineageNodes(mongo.db),
          runs: lineageRuns(mongo.db),
        }),
        description: openLineageDescription,
      },
      { router: apiKeyRouter({ signedIn, apiKeys: keys }), description: apiKeyDescription },
      {
        router: ingestionRouters({ config, db: mongo.db, temporal, signedIn, idempotency }),
        description: ingestionDescription,
      },
      {
        router: integrationRouter({
          signedIn,
          integrations: integrations(mongo.db),
          secretBox: secretBox(config.secretKey),
        }),
        description: integrationsDescription,
      },
      {
        router: incidentRouter({
          signedIn,
          idempotency,
          incidents: incidents(mongo.db),
          policies: incidentPolicies(mongo.db),
          reports: incidentReports(temporal),
          control: incidentControl(temporal),
          senders: new IntegrationService({
            integrations: integrations(mongo.db),
            secretBox: secretBox(config.secretKey),
          }),
        }),
        description: incidentsDescription,
      },
      {
        router: webhookRouter({
          signedIn,
          endpoints: webhookEndpoints(mongo.db),
          secretBox: secretBox(config.secretKey),
          intake: door,
          reports: incidentReports(temporal),
          incidents: incidents(mongo.db),
        }),
        description: webhookDescription,
      },
      {
        router: topicRouter({
          signedIn,
          topics: followedTopics(mongo.db),
          control: topicControl(temporal),
          secretBox: secretBox(config.secretKey),
          allowPrivateSources: config.allowPrivateSources,
        }),
        description: topicDescription,
      },
      {
        router: transformationRouter({
          db: mongo.db,
          temporal,
          secretKey: config.secretKey,
          signedIn,
          idempotency,
        }),
        description: transformationDescription,
      },
    ],
  });
  logger.info('serving');
}

/** Sockets are refused with 503 until then; everything else is served all the same. */
async function letNotificationsFlow(): Promise<void> {
  try {
    await wait('Kafka (notifications)', () => feed.start());
    logger.info('notifications flow');
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  }
}

/** Stops accepting, lets what is under way end, and leaves nothing unsent. */
async function stop(signal: string): Promise<void> {
  if (stopping.signal.aborted) return;
  logger.info({ signal }, 'ending');
  stopping.abort();
  await Promise.all([closeServer(server, shutdownGraceMs), notifications.close(), ingestSockets.close()]);
  const closings = Promise.allSettled([producer.close(), feed.stop(), neo4j.close(), probes.close()]);
  const ends = await Promise.race([closings, sleep(closingMs, [])]);
  for (const end of ends) {
    if (end.status === 'rejected') logger.warn({ err: end.reason as unknown }, 'a connection did not end well');
  }
  logger.info('ended');
  process.exit(0);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

try {
  await start();
} catch (error) {
  if (!stopping.signal.aborted) {
    logger.fatal({ err: error }, 'the API cannot start');
    process.exit(1);
  }
}
