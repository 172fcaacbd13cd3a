import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackAddresses } from '../environment.ts';
import { isProvisioned, provision } from '../provision/artefact.ts';
import { runCommand } from '../provision/command.ts';
import { classPath } from '../provision/maven.ts';
import { kafkaServer } from '../provision/servers.ts';
import { javaCommand, javaTool, pythonTool } from '../provision/tools.ts';
import type { Service, StackContext } from './service.ts';

/** Base64 of the sixteen bytes `lily-local-stack`: an id that never changes lets the data folder be kept. */
const CLUSTER_ID = 'bGlseS1sb2NhbC1zdGFjaw';

export const kafka: Service = {
  name: 'kafka',
  title: 'Kafka',
  after: [],
  ports: ['kafka', 'kafkaController'],
  tools: async () => [javaTool(), ...(isProvisioned(kafkaServer.artefact) ? [] : [pythonTool()])],
  async provision(progress) {
    await provision(kafkaServer.artefact, progress);
  },
  async plan(context, progress) {
    const folder = join(context.paths.data, 'kafka');
    const logs = join(folder, 'logs');
    mkdirSync(logs, { recursive: true });
    const properties = join(folder, 'server.properties');
    const logging = join(folder, 'log4j2.properties');
    writeFileSync(properties, serverProperties(context, logs));
    writeFileSync(logging, LOGGING);
    const java = [`-Dlog4j2.configurationFile=${logging}`, '-Djava.awt.headless=true', '-cp', classPath(kafkaServer)];
    if (!existsSync(join(logs, 'meta.properties'))) {
      progress.running('formats the storage');
      const format = [...java, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties];
      await runCommand(javaCommand(), ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...format], {
        purpose: "Formatting Kafka's storage",
      });
    }
    return {
      command: javaCommand(),
      args: ['-Xms256m', '-Xmx512m', ...HEAP_FLAGS, ...java, 'kafka.Kafka', properties],
      cwd: folder,
    };
  },
  async check({ ports }) {
    const { Kafka, logLevel } = await import('kafkajs');
    const admin = new Kafka({
      clientId: 'lily-stack',
      brokers: [`127.0.0.1:${ports.kafka}`],
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1000,
      requestTimeout: 3000,
      retry: { retries: 0 },
    }).admin();
    try {
      await admin.connect();
      const cluster = await admin.describeCluster();
      if (cluster.brokers.length === 0) throw new Error('names no broker yet');
    } finally {
      await admin.disconnect();
    }
  },
  address: (context) => stackAddresses(context).kafka,
  startTimeoutMs: 120_000,
  graceMs: 20_000,
};

const HEAP_FLAGS = ['-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'] as const;

function serverProperties({ ports }: StackContext, logs: string): string {
  const settings: Readonly<Record<string, string | number | boolean>> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.kafka}`,
    'log.dirs': logs,
    // A topic that appears by accident has the wrong partitions; `deploy/setup.ts` makes them all.
    'auto.create.topics.enable': false,
    'num.partitions': 4,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    // One broker, and few partitions of the internal topics, so that their coordinators are loaded at once.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker may only come back when its old session has ended.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    'log.segment.bytes': 134_217_728,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    'message.max.bytes': 8_388_608,
    'replica.fetch.max.bytes': 8_388_608,
  };
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}

const LOGGING = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=console
logger.config.name=org.apache.kafka.common.config.AbstractConfig
logger.config.level=WARN
logger.kafkaConfig.name=kafka.server.KafkaConfig
logger.kafkaConfig.level=WARN
`;
