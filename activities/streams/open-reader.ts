import { resolveAllowed } from '#platform/address-guard.ts';
import { TopicReader } from '#platform/kafka/foreign/topic-reader.ts';
import type { Logger } from '#platform/logger.ts';
import type { FollowedTopicDoc } from '#platform/mongo/followed-topics.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import type { KafkaSignIn } from '#platform/kafka/foreign/client.ts';

/** What is sealed of an integration, as JSON, for its id. */
interface Sealed {
  password?: string;
  ca?: string;
}

/** Opens readers of followed topics with their secrets; addresses that may not be connected to are refused. */
export function topicReaders(options: {
  secretBox: Pick<SecretBox, 'open'>;
  allowPrivate: boolean;
  logger: Logger;
}): (integration: FollowedTopicDoc) => TopicReader {
  const { secretBox, allowPrivate, logger } = options;
  return (integration) => {
    const { brokers, sasl, tls, sealed, topic, _id: id } = integration;
    const { password = '', ca } = JSON.parse(secretBox.open(sealed, id)) as Sealed;
    const mechanism = sasl?.mechanism as KafkaSignIn['mechanism'] | undefined;
    return new TopicReader(
      {
        brokers,
        ...(sasl && mechanism && { sasl: { mechanism, username: sasl.username, password } }),
        ...(tls && { tls: { ca } }),
      },
      topic,
      'lily',
      (host) => resolveAllowed(host, allowPrivate, { field: '/brokers' }),
      logger.child({ tenant: integration.tenant_id, topic: integration.name }),
    );
  };
}
