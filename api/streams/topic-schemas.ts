import { z } from 'zod';
import { mappingSchema } from '#domain/ingestion/mapping.ts';

const time = z.iso.datetime();
const count = z.int().min(0);

export const topicStates = ['starting', 'following', 'paused', 'failing', 'waiting'] as const;

export const topicViewSchema = z
  .object({
    name: z.string(),
    state: z.enum(topicStates).meta({
      description:
        '`starting`: not read yet; `failing`: the last attempt failed, and it is tried again for as long as it takes; `waiting`: no worker has read it for a minute',
    }),
    topic: z.string(),
    brokers: z.array(z.string()),
    format: z.literal('json'),
    from: z.enum(['earliest', 'latest']),
    tls: z.boolean(),
    sasl: z.object({ mechanism: z.string(), username: z.string() }).nullable(),
    mapping: mappingSchema.nullable().meta({ description: 'Null for the default one' }),
    lag: count.meta({
      description: 'Messages that the topic held when it was last read, and that are not in Lily yet',
    }),
    rate: z.number().meta({ description: 'Messages a second, in the last ten seconds' }),
    counts: z.object({
      messages: count,
      records: count.meta({ description: 'What the messages were made into; one may hold several' }),
      dead_letters: count,
      ignored: count.meta({ description: 'Messages without a value' }),
      lost: count.meta({ description: 'Offsets that the cluster gave up before they could be read' }),
    }),
    read_at: time.nullable().meta({ description: 'When it was last read without a failure' }),
    last_error: z.object({ message: z.string(), at: time }).nullable(),
    last_notice: z
      .object({ message: z.string(), at: time })
      .nullable()
      .meta({ description: 'What happened to the topic: made anew, cut short, read too late' }),
    workflow_id: z.string(),
    created_by: z.string(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'FollowedTopic' });

export type TopicView = z.infer<typeof topicViewSchema>;

export const topicDetailSchema = topicViewSchema
  .extend({
    partitions: z.array(
      z.object({
        partition: count,
        next: count.meta({ description: 'The offset that is read next: everything before it is durable in Lily' }),
        end: count.meta({ description: 'The offset that the next message will have, when it was last read' }),
        lag: count,
        messages: count,
        dead_letters: count,
        lost: count,
        incarnation: z.string().meta({ description: "Changes when the topic is made anew: Kafka's own id of it" }),
        updated_at: time,
      }),
    ),
  })
  .meta({ id: 'FollowedTopicDetail' });

export type TopicDetail = z.infer<typeof topicDetailSchema>;

export const topicListSchema = z.object({ items: z.array(topicViewSchema) }).meta({ id: 'FollowedTopicList' });
