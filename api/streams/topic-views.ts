import type { Mapping } from '#domain/ingestion/mapping.ts';
import { incarnationOf } from '#domain/streams/topic.ts';
import type { FollowedTopicDoc, TopicPartitionDoc } from '#platform/mongo/followed-topics.ts';
import type { TopicDetail, TopicView } from './topic-schemas.ts';

/** A topic that nobody has read for so long has no worker. */
const silentMs = 60_000;

export function topicDetail(topic: FollowedTopicDoc, partitions: readonly TopicPartitionDoc[]): TopicDetail {
  const sum = (count: (partition: TopicPartitionDoc) => number): number =>
    partitions.reduce((total, partition) => total + count(partition), 0);
  return {
    name: topic.name,
    state: stateOf(topic),
    topic: topic.topic,
    brokers: topic.brokers,
    format: 'json',
    from: topic.from,
    tls: topic.tls,
    sasl: topic.sasl ?? null,
    mapping: topic.mapping === undefined ? null : (JSON.parse(topic.mapping) as Mapping),
    lag: sum(lagOf),
    rate: topic.paused || isSilent(topic) ? 0 : topic.rate,
    counts: {
      messages: sum(({ messages }) => messages),
      records: sum(({ records }) => records),
      dead_letters: sum(({ dead_letters: letters }) => letters),
      ignored: sum(({ ignored }) => ignored),
      lost: sum(({ lost }) => lost),
    },
    read_at: topic.read_at?.toISOString() ?? null,
    last_error: topic.last_error === undefined ? null : told(topic.last_error),
    last_notice: topic.last_notice === undefined ? null : told(topic.last_notice),
    workflow_id: topic.workflow_id,
    created_by: topic.created_by,
    created_at: topic.created_at.toISOString(),
    updated_at: topic.updated_at.toISOString(),
    partitions: partitions.map((partition) => ({
      partition: partition.partition,
      next: partition.next,
      end: partition.end,
      lag: lagOf(partition),
      messages: partition.messages,
      dead_letters: partition.dead_letters,
      lost: partition.lost,
      incarnation: incarnationOf({ topicId: partition.topic_id, era: partition.era }),
      updated_at: partition.updated_at.toISOString(),
    })),
  };
}

export function topicView(topic: FollowedTopicDoc, all: readonly TopicPartitionDoc[]): TopicView {
  const { partitions: _partitions, ...view } = topicDetail(
    topic,
    all.filter(({ integration_id: id }) => id === topic._id),
  );
  return view;
}

function stateOf(topic: FollowedTopicDoc): TopicView['state'] {
  const { paused, read_at: readAt, last_error: error } = topic;
  if (paused) return 'paused';
  if (error !== undefined && (readAt === undefined || error.at > readAt)) return 'failing';
  if (readAt === undefined) return 'starting';
  return isSilent(topic) ? 'waiting' : 'following';
}

function isSilent({ read_at: readAt }: FollowedTopicDoc): boolean {
  return readAt !== undefined && Date.now() - readAt.getTime() > silentMs;
}

function lagOf({ next, end }: TopicPartitionDoc): number {
  return Math.max(end - next, 0);
}

function told({ message, at }: { message: string; at: Date }): { message: string; at: string } {
  return { message, at: at.toISOString() };
}
