import { MongoServerError, type Db } from 'mongodb';
import type { Continuation, PartitionPosition } from '#domain/streams/topic.ts';
import { duplicatesOnly } from './raw-records.ts';
import { TenantCollection } from './tenant-collection.ts';

/** A topic that a tenant has Lily follow. `_id` is the integration's id. */
export interface FollowedTopicDoc {
  _id: string;
  tenant_id: string;
  /** What the tenant calls it; unique for the tenant. */
  name: string;
  topic: string;
  brokers: string[];
  from: 'earliest' | 'latest';
  tls: boolean;
  /** How it signs in, without the password. */
  sasl?: { mechanism: string; username: string };
  /** The password and the certificates, sealed for this integration. */
  sealed: string;
  /** The mapping as JSON text, so that its keys may be anything; absent for the default one. */
  mapping?: string;
  paused: boolean;
  /** Counts what people change; whoever reads the topic looks at it. */
  revision: number;
  /** Where reading began: one document, so that it is decided for all partitions at once. */
  begin?: { topic_id: string; offsets: { partition: number; offset: number }[] };
  /** Messages a second, lately. */
  rate: number;
  /** When the topic was last read without a failure. */
  read_at?: Date;
  last_error?: { message: string; at: Date };
  /** What happened to the topic that people should know. */
  last_notice?: { message: string; at: Date };
  workflow_id: string;
  created_by: string;
  created_at: Date;
  updated_at: Date;
}

/** A partition's position and what came of it. `_id` is the integration's id and the partition. */
export interface TopicPartitionDoc {
  _id: string;
  tenant_id: string;
  integration_id: string;
  partition: number;
  topic_id: string;
  era: number;
  next: number;
  /** Where the partition ended when it was last read. */
  end: number;
  messages: number;
  records: number;
  dead_letters: number;
  /** Messages without a value. */
  ignored: number;
  lost: number;
  updated_at: Date;
}

/** How a partition moved on: counts are of this move alone. */
export interface PartitionMove {
  from: PartitionPosition;
  next: number;
  end: number;
  messages: number;
  records: number;
  deadLetters: number;
  ignored: number;
}

export type FollowedTopics = ReturnType<typeof followedTopics>;

const duplicateKey = 11_000;

export function followedTopics(db: Db) {
  const { topics, partitions } = collectionsOf(db);
  const of = (tenantId: string) => new TenantCollection(topics, tenantId);
  const partitionsOf = (tenantId: string) => new TenantCollection(partitions, tenantId);

  return {
    /** Gives false, and changes nothing, when the tenant has one of that name already. */
    async insert(topic: FollowedTopicDoc): Promise<boolean> {
      try {
        await of(topic.tenant_id).insertOne(topic);
        return true;
      } catch (error) {
        if (error instanceof MongoServerError && error.code === duplicateKey) return false;
        throw error;
      }
    },

    async named(tenantId: string, name: string): Promise<FollowedTopicDoc | undefined> {
      return (await of(tenantId).findOne({ name })) ?? undefined;
    },

    async get(tenantId: string, integrationId: string): Promise<FollowedTopicDoc | undefined> {
      return (await of(tenantId).findOne({ _id: integrationId })) ?? undefined;
    },

    async list(tenantId: string): Promise<FollowedTopicDoc[]> {
      return of(tenantId).find({}).sort({ name: 1 }).toArray();
    },

    async count(tenantId: string): Promise<number> {
      return of(tenantId).count({});
    },

    /** Changes what people may change. A mapping or sign-in that is undefined is taken away. */
    async change(
      tenantId: string,
      integrationId: string,
      change: Partial<Pick<FollowedTopicDoc, 'brokers' | 'tls' | 'sealed' | 'paused'>> & {
        mapping?: string | undefined;
        sasl?: FollowedTopicDoc['sasl'] | undefined;
      },
    ): Promise<FollowedTopicDoc | undefined> {
      const set = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      const unset = Object.fromEntries(
        Object.entries(change).flatMap(([key, value]) => (value === undefined ? [[key, '' as const]] : [])),
      );
      const found = await of(tenantId).findOneAndUpdate(
        { _id: integrationId },
        {
          $set: { ...set, updated_at: new Date() },
          $inc: { revision: 1 },
          ...(Object.keys(unset).length === 0 ? {} : { $unset: unset }),
        },
      );
      return found ?? undefined;
    },

    /** Decides where reading begins, once; a decision that was made before stands. */
    async begin(
      tenantId: string,
      integrationId: string,
      begin: NonNullable<FollowedTopicDoc['begin']>,
    ): Promise<NonNullable<FollowedTopicDoc['begin']>> {
      await of(tenantId).updateOne({ _id: integrationId, begin: { $exists: false } }, { $set: { begin } });
      return (await this.get(tenantId, integrationId))?.begin ?? begin;
    },

    /** Notes that the topic was read, and gives the integration as it is now; undefined when it is gone. */
    async noteRead(
      tenantId: string,
      integrationId: string,
      { rate, notice }: { rate: number; notice?: string | undefined },
    ): Promise<FollowedTopicDoc | undefined> {
      const now = new Date();
      const told = notice === undefined ? {} : { last_notice: { message: notice, at: now } };
      return (
        (await of(tenantId).findOneAndUpdate({ _id: integrationId }, { $set: { rate, read_at: now, ...told } })) ??
        undefined
      );
    },

    async noteError(tenantId: string, integrationId: string, message: string): Promise<void> {
      const last_error = { message, at: new Date() };
      await of(tenantId).updateOne({ _id: integrationId }, { $set: { last_error, rate: 0 } });
    },

    /** The positions go too: one of the same name later begins by itself. */
    async remove(tenantId: string, integrationId: string): Promise<void> {
      await of(tenantId).deleteMany({ _id: integrationId });
      await partitionsOf(tenantId).deleteMany({ integration_id: integrationId });
    },

    async partitions(tenantId: string, integrationId: string): Promise<TopicPartitionDoc[]> {
      return partitionsOf(tenantId).find({ integration_id: integrationId }).sort({ partition: 1 }).toArray();
    },

    /** Puts a partition where it is to go on. Gives false when somebody else has moved it since it stood there. */
    async place(
      tenantId: string,
      integrationId: string,
      stood: PartitionPosition | undefined,
      { partition, topicId, era, next, lost }: Continuation,
      end: number,
    ): Promise<boolean> {
      const _id = partitionId(integrationId, partition);
      const now = new Date();
      if (stood === undefined) {
        const none = { messages: 0, records: 0, dead_letters: 0, ignored: 0, lost };
        const fresh = { _id, tenant_id: tenantId, integration_id: integrationId, partition, era, next, end };
        try {
          await partitionsOf(tenantId).insertMany([{ ...fresh, topic_id: topicId, ...none, updated_at: now }]);
          return true;
        } catch (error) {
          if (duplicatesOnly(error) === undefined) throw error;
          return false;
        }
      }
      const { matchedCount } = await partitionsOf(tenantId).updateOne(
        { _id, topic_id: stood.topicId, era: stood.era, next: stood.next },
        { $set: { topic_id: topicId, era, next, end, updated_at: now }, $inc: { lost } },
      );
      return matchedCount === 1;
    },

    /** Moves partitions on. Gives false when somebody else has moved one of them: two read the same topic then. */
    async move(tenantId: string, integrationId: string, moves: readonly PartitionMove[]): Promise<boolean> {
      if (moves.length === 0) return true;
      const now = new Date();
      const { matchedCount } = await partitionsOf(tenantId).bulkWrite(
        moves.map(({ from, next, end, messages, records, deadLetters, ignored }) => ({
          updateOne: {
            filter: {
              _id: partitionId(integrationId, from.partition),
              topic_id: from.topicId,
              era: from.era,
              next: from.next,
            },
            update: {
              $set: { next, end, updated_at: now },
              $inc: { messages, records, dead_letters: deadLetters, ignored },
            },
          },
        })),
        { ordered: false },
      );
      return matchedCount === moves.length;
    },
  };
}

function partitionId(integrationId: string, partition: number): string {
  return `${integrationId}:${partition}`;
}

/** Creates the indexes of followed topics; harmless to repeat. */
export async function ensureFollowedTopicIndexes(db: Db): Promise<void> {
  const { topics, partitions } = collectionsOf(db);
  await Promise.all([
    topics.createIndex({ tenant_id: 1, name: 1 }, { unique: true }),
    partitions.createIndex({ integration_id: 1, partition: 1 }),
  ]);
}

function collectionsOf(db: Db) {
  return {
    topics: db.collection<FollowedTopicDoc>('followed_topics'),
    partitions: db.collection<TopicPartitionDoc>('followed_topic_partitions'),
  };
}
