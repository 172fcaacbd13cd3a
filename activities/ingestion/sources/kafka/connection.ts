import type { LilyError } from '#domain/errors.ts';
import { kafkaRoot, type KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { ByteMeter } from '#platform/byte-meter.ts';
import { kafkaErrorType, openForeignKafka, type ForeignKafka } from '#platform/kafka/foreign-kafka.ts';
import type { SourceContext } from '../../source.ts';
import { permanent, unreachable, type Place } from '../shared/source-error.ts';

/** The user may not do this with the topic. */
export class NotPermitted extends Error {}

/** A cluster that is only read. Every failure is a LilyError, or {@link NotPermitted} about one topic. */
export type KafkaSession = ForeignKafka;

/** Signs in. @throws LilyError `source-unreachable` or `source-refused` */
export async function openKafkaSession(source: KafkaSource, context: SourceContext): Promise<KafkaSession> {
  const meter = new ByteMeter();
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asKafkaError(error, source, meter);
    }
  };
  const cluster = await guard(() => openForeignKafka(source, { allowPrivate: context.allowPrivate, meter }));
  return {
    clusterId: () => guard(() => cluster.clusterId()),
    topics: () => guard(() => cluster.topics()),
    lookUp: (topic) => guard(() => cluster.lookUp(topic)),
    settings: (topics) => guard(() => cluster.settings(topics)),
    offsets: (topic) => guard(() => cluster.offsets(topic)),
    latest: (topic, plan) => guard(() => cluster.latest(topic, plan)),
    get bytes() {
      return cluster.bytes;
    },
    close: () => cluster.close(),
  };
}

export function placeOf(source: KafkaSource): Place {
  const secrets = [source.sasl?.password ?? '', source.schema_registry?.password ?? ''];
  return { place: `The cluster ${kafkaRoot(source)}`, secrets, field: '/source/brokers' };
}

/** Who reads, for people. */
export function readerOf({ sasl }: KafkaSource): string {
  return sasl === undefined ? 'somebody who has not signed in' : `the user ${sasl.username}`;
}

function asKafkaError(error: unknown, source: KafkaSource, meter: ByteMeter): LilyError | NotPermitted {
  const at = placeOf(source);
  const type = kafkaErrorType(error) ?? '';
  const message = error instanceof Error ? error.message : '';
  if (meter.exceeded !== undefined) return unreachable(error, at, meter);
  if (type === 'TOPIC_AUTHORIZATION_FAILED') return new NotPermitted(message, { cause: error });
  if (type === 'CLUSTER_AUTHORIZATION_FAILED') {
    return permanent(at, `does not allow ${readerOf(source)} to describe it (DESCRIBE on the cluster)`, error);
  }
  const names = [error instanceof Error ? error.name : '', causeName(error)];
  if (names.includes('KafkaJSSASLAuthenticationError') || type === 'SASL_AUTHENTICATION_FAILED') {
    const mechanism = source.sasl?.mechanism ?? 'none';
    return permanent(at, `does not let ${readerOf(source)} in with that password (SASL mechanism ${mechanism})`, error);
  }
  return unreachable(error, at, meter);
}

function causeName(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.name : '';
}
