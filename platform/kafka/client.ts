import { Kafka, logLevel } from 'kafkajs';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { calmIdleConnections } from './idle-timer.ts';

/** A kafkajs client whose own log lines go to ours. Only platform/kafka knows kafkajs. */
export function createKafka(config: Pick<Config['kafka'], 'brokers'>, clientId: string, logger?: Logger): Kafka {
  calmIdleConnections();
  return new Kafka({
    clientId,
    brokers: config.brokers,
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      const { message, ...fields } = entry.log;
      const detail = { kafka: entry.namespace, ...fields, timestamp: undefined, logger: undefined, stack: undefined };
      if (entry.level <= logLevel.ERROR) logger?.error(detail, message);
      else logger?.warn(detail, message);
    },
  });
}
