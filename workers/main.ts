import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { dryRunActivities } from '#activities/ingestion/dry-run.ts';
import { incidentActivities } from '#activities/incidents/index.ts';
import { ingestionActivities } from '#activities/ingestion/index.ts';
import { scheduledRunActivities } from '#activities/ingestion/scheduled-runs.ts';
import { sourceTestActivities } from '#activities/ingestion/source-test.ts';
import { propagationActivities } from '#activities/propagation/index.ts';
import { topicReaders } from '#activities/streams/open-reader.ts';
import { streamActivities } from '#activities/streams/index.ts';
import { recordPreview } from '#activities/transformation/preview.ts';
import { transformationActivities } from '#activities/transformation/index.ts';
import { replayActivities } from '#activities/transformation/replay/index.ts';
import { reprocessingActivities } from '#activities/transformation/reprocessing/index.ts';
import { batchRules, rulesOf } from '#activities/transformation/rules/batch-rules.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { topics } from '#domain/topics.ts';
import { loadConfig } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { clusterId } from '#platform/kafka/cluster-id.ts';
import { PartitionConsumer } from '#platform/kafka/partition-consumer.ts';
import { GroupCommitProducer } from '#platform/kafka/producer.ts';
import { createLogger } from '#platform/logger.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import { dryRuns } from '#platform/mongo/dry-runs.ts';
import { entities } from '#platform/mongo/entities.ts';
import { followedTopics } from '#platform/mongo/followed-topics.ts';
import { lineageNodes } from '#platform/mongo/lineage-nodes.ts';
import { lineageRuns } from '#platform/mongo/lineage-runs.ts';
import { openLineageState } from '#platform/mongo/openlineage-state.ts';
import { incidentPolicies } from '#platform/mongo/incident-policies.ts';
import { incidents } from '#platform/mongo/incidents.ts';
import { intakeRanges } from '#platform/mongo/intake-ranges.ts';
import { namedEntities } from '#platform/mongo/named-entities.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { ruleSets } from '#platform/mongo/rule-sets.ts';
import { runs } from '#platform/mongo/runs.ts';
import { schedules } from '#platform/mongo/schedules.ts';
import { sources } from '#platform/mongo/sources.ts';
import { transformationJobs } from '#platform/mongo/transformation-jobs.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { graphWriter } from '#platform/neo4j/graph-writer.ts';
import { lineage } from '#platform/neo4j/lineage.ts';
import { objectStore } from '#platform/objects/object-store.ts';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import { incidentReports } from '#platform/temporal/incidents.ts';
import { sdkLogger } from '#platform/temporal/sdk-logger.ts';
import { workflowState } from '#platform/temporal/workflow-state.ts';
import { secretBox } from '#platform/secret-box.ts';
import { serveHealth } from './health.ts';
import { streamingDoor } from './streaming-door.ts';

/** How often what has outlived its time, or was left by crashed uploads, is looked for. */
const objectSweepMs = 10 * 60_000;

const config = loadConfig(process.env);
const logger = createLogger({ logLevel: config.logLevel, service: 'worker' });
const temporalLogger = sdkLogger(logger.child({ component: 'temporal' }));
Runtime.install({ shutdownSignals: [], logger: temporalLogger });

const { client: mongoClient, db } = await connectMongo(config.mongo);
const neo4j = connectNeo4j(config.neo4j);
const kafka = createKafka(config.kafka, 'lily-worker', logger);
const producer = new GroupCommitProducer(kafka);
await producer.connect();
const connection = await NativeConnection.connect({ address: config.temporal.address });
const temporal = new Client({ connection, namespace: config.temporal.namespace });

const objects = objectStore(db);
const stores = { rawRecords: rawRecords(db), entities: entities(db), deadLetters: deadLetters(db), runs: runs(db) };
const sourceAccess = {
  secretBox: secretBox(config.secretKey),
  objects,
  allowPrivateSources: config.allowPrivateSources,
  ownKafkaCluster: clusterId(kafka),
};
const jobs = transformationJobs(db);
const rules = rulesOf({ ruleSets: ruleSets(db), compile: ruleCompiler(config.secretKey) });
// Webpack tells its whole story on every start; only what goes wrong is of interest.
const quiet = sdkLogger(logger.child({ component: 'bundler' }, { level: 'warn' }));
const common = {
  connection,
  namespace: config.temporal.namespace,
  workflowBundle: await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    logger: quiet,
  }),
  maxCachedWorkflows: 200,
  shutdownGraceTime: '10 seconds',
};
const workers = await Promise.all([
  Worker.create({
    ...common,
    taskQueue: taskQueues.pipeline,
    activities: {
      ...transformationActivities({
        ...stores,
        rules: batchRules(stores.rawRecords, rules),
        graph: graphWriter(neo4j),
        producer,
        openLineage: openLineageState(db),
        lineageRuns: lineageRuns(db),
        lineageNodes: lineageNodes(db),
        incidents: incidentReports(temporal),
      }),
      ...replayActivities({ ...stores, jobs }),
      ...reprocessingActivities({ ...stores, jobs, ruleSets: ruleSets(db), rules }),
      ...propagationActivities({ ...stores, lineage: lineage(neo4j), producer }),
    },
  }),
  Worker.create({
    ...common,
    taskQueue: taskQueues.ingestion,
    activities: {
      ...ingestionActivities({ ...stores, ...sourceAccess, incidents: incidentReports(temporal) }),
      ...dryRunActivities({
        dryRuns: dryRuns(db),
        entities: stores.entities,
        preview: recordPreview({ entities: stores.entities, ruleSets: ruleSets(db), rules }),
        ...sourceAccess,
      }),
      ...sourceTestActivities({ sources: sources(db), ...sourceAccess }),
      ...scheduledRunActivities({
        runs: stores.runs,
        schedules: schedules(db),
        sources: sources(db),
        secretBox: sourceAccess.secretBox,
        workflowState: (workflowId) => workflowState(temporal, workflowId),
        runsPerTenant: config.runsPerTenant,
      }),
    },
    // Each crawl holds a connection to its source; a few at once are plenty for one process.
    maxConcurrentActivityTaskExecutions: 20,
  }),
  Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue: taskQueues.streams,
    activities: streamActivities({
      topics: followedTopics(db),
      producer,
      openReader: topicReaders({ ...sourceAccess, allowPrivate: config.allowPrivateSources, logger }),
      ownClusterId: sourceAccess.ownKafkaCluster,
    }),
    // Each holds what it has fetched, a few MiB. Where there are more topics, they take turns of ten minutes.
    maxConcurrentActivityTaskExecutions: 50,
    shutdownGraceTime: '1 second',
  }),
  Worker.create({
    ...common,
    taskQueue: taskQueues.incidents,
    activities: incidentActivities({
      ...stores,
      incidents: incidents(db),
      policies: incidentPolicies(db),
      namedEntities: namedEntities(db),
      lineage: lineage(neo4j),
      producer,
    }),
  }),
]);

const sweeping = setInterval(() => {
  objects.sweep().catch((error: unknown) => logger.warn({ err: error }, 'old objects could not be taken away'));
}, objectSweepMs);

const consumer = new PartitionConsumer(kafka, {
  groupId: 'lily-streaming-door',
  topic: topics.ingest,
  batchRecords: config.worker.batchRecords,
  handler: streamingDoor({ temporal, ...stores, intakeRanges: intakeRanges(db), producer, logger }),
  logger,
});

const health = serveHealth(config.worker.healthPort, () => {
  const states = workers.map((worker) => `${worker.options.taskQueue} ${worker.getState().toLowerCase()}`);
  return { ok: workers.every((worker) => worker.getState() === 'RUNNING'), detail: states.join(', ') };
});

const stop = (): void => {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop);
// One that fails takes the others down: a process that does half of its work would look healthy.
const running = Promise.all(workers.map((worker) => worker.run().finally(stop)));
await consumer.start();
logger.info({ batchRecords: config.worker.batchRecords }, 'the worker is up');
await running;

logger.info('the worker goes down');
clearInterval(sweeping);
await consumer.stop();
await producer.close();
health.close();
await Promise.all([mongoClient.close(), neo4j.close(), connection.close()]);
