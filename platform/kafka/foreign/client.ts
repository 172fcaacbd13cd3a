import { Kafka, logLevel, type SASLOptions } from 'kafkajs';
import { LilyError } from '#domain/errors.ts';
import type { Logger } from '../../logger.ts';
import { boundDecompression } from '../codecs.ts';
import { calmIdleConnections } from '../idle-timer.ts';
import { guardedSockets, type Resolve } from './guarded-socket.ts';

/** How to sign in to a Kafka cluster. */
export interface KafkaSignIn {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  username: string;
  password: string;
}

/** Somebody else's Kafka cluster. */
export interface ForeignCluster {
  /** `host:port` */
  brokers: readonly string[];
  sasl?: KafkaSignIn | undefined;
  /** With TLS; `ca` holds certificates in PEM to trust instead of the usual ones. */
  tls?: { ca?: string | undefined } | undefined;
}

export interface ForeignKafka {
  kafka: Kafka;
  /** What stands in the way, when an address was refused; a client's own error does not say so. */
  refusal(): LilyError | undefined;
}

/**
 * A client of a cluster that a tenant has named: every address is resolved by `resolve`, also those that the brokers name
 * themselves. It tries briefly: whoever uses it tries again, and can say so.
 */
export function foreignKafka(
  cluster: ForeignCluster,
  clientId: string,
  resolve: Resolve,
  logger?: Logger,
): ForeignKafka {
  calmIdleConnections();
  boundDecompression();
  let refused: LilyError | undefined;
  const { sasl, tls } = cluster;
  const kafka = new Kafka({
    clientId,
    brokers: [...cluster.brokers],
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 200, maxRetryTime: 1_000, retries: 2 },
    socketFactory: guardedSockets(resolve, (refusal) => (refused ??= refusal)),
    logLevel: logLevel.ERROR,
    logCreator: () => (entry) => logger?.debug({ kafka: entry.namespace }, entry.log.message),
    ...(tls === undefined ? {} : { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as SASLOptions }),
  });
  return { kafka, refusal: () => refused };
}

/** The error of a foreign client in one sentence for people, without anything secret. */
export function foreignKafkaError(error: unknown, refusal: LilyError | undefined): LilyError {
  if (refusal !== undefined) return refusal;
  if (error instanceof LilyError) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  if (name === 'KafkaJSSASLAuthenticationError') {
    return new LilyError('source-unreachable', 'The cluster does not take the user name and password.', {
      cause: error,
    });
  }
  return new LilyError('source-unreachable', `The cluster cannot be read: ${message.slice(0, 300)}`, { cause: error });
}
