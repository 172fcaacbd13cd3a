import { z } from 'zod';
import { mappingSchema } from '../ingestion/mapping.ts';

/** A Kafka topic of somebody else's that is followed for good: what it says becomes records. */

const broker = z
  .string()
  .max(300)
  .regex(/^[^\s:/@]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'must be `host:port`');

export const topicNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be 1 to 63 lower-case letters, digits, `_` or `-`');

/** Body of `PUT /v1/integrations/topics/{name}`. */
export const followedTopicSchema = z
  .strictObject({
    brokers: z.array(broker).min(1).max(10).meta({ description: 'Where to ask first; the cluster names the others' }),
    topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, 'must be the name of a Kafka topic'),
    format: z.literal('json').default('json').meta({ description: 'What the values are' }),
    from: z
      .enum(['earliest', 'latest'])
      .default('latest')
      .meta({ description: 'Where to begin: with what the topic holds already, or with what comes from now on' }),
    sasl: z
      .strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
        username: z.string().min(1).max(256),
        password: z.string().min(1).max(1_024),
      })
      .optional(),
    tls: z
      .union([
        z.boolean(),
        z.strictObject({
          ca: z
            .string()
            .max(64 * 1024)
            .meta({ description: 'Certificates in PEM to trust instead of the usual ones' }),
        }),
      ])
      .default(false),
    mapping: mappingSchema.optional(),
  })
  .meta({ id: 'PutTopic' });

export type FollowedTopic = z.infer<typeof followedTopicSchema>;

/** Input of the `followTopic` workflow. Everything else is in the integration's document, and may change. */
export interface FollowTopicRequest {
  tenantId: string;
  /** Made when the integration was registered; another one of the same name later is another integration. */
  integrationId: string;
  /** What the tenant calls it, for people. */
  name: string;
  /** Rounds after which the workflow continues as new; without it, when Temporal suggests so. */
  roundsPerExecution?: number;
}

/** Why a round of reading ended: its time was up, something about the integration changed, it is paused, or it is gone. */
export type RoundEnd = 'time' | 'changed' | 'paused' | 'gone';

/** What one round did. */
export interface RoundReport {
  end: RoundEnd;
  messages: number;
}

export function followTopicWorkflowId(tenantId: string, name: string, integrationId: string): string {
  return `topic:${tenantId}:${name}:${integrationId}`;
}

/** Where a partition stands. */
export interface PartitionPosition {
  partition: number;
  /** The id that Kafka gave the topic; empty where the brokers know of none. */
  topicId: string;
  /** Counts the lives of the partition that the topic's id does not tell apart: 0, and one more when it was cut short. */
  era: number;
  /** The offset that is read next: everything before it is durable in Lily. */
  next: number;
}

/** What tells the messages of a partition from those that stood at the same offsets before. */
export function incarnationOf({ topicId, era }: Pick<PartitionPosition, 'topicId' | 'era'>): string {
  return `${topicId}~${era}`;
}

interface Bounds {
  first: number;
  end: number;
}

/** Where to go on, and what that means for what was not read. */
export interface Continuation extends PartitionPosition {
  /** Offsets that the cluster no longer has, and that nobody has read. */
  lost: number;
  /** Says what happened to the partition, where something did. */
  notice?: string;
}

/**
 * Where to go on in a partition, from where it stood and what the cluster has now.
 * @param begin where a partition that was never read begins
 */
export function continuation(
  partition: number,
  stood: PartitionPosition | undefined,
  topicId: string,
  { first, end }: Bounds,
  begin: number,
): Continuation {
  const fresh = (era: number, next: number) => ({ partition, topicId, era, next });
  if (stood === undefined) return { ...fresh(0, Math.max(begin, first)), lost: 0 };
  if (stood.topicId !== topicId) {
    return { ...fresh(0, first), lost: 0, notice: 'The topic was made anew; it is read from its beginning.' };
  }
  const { era, next } = stood;
  if (next > end) {
    // Without ids, a topic that was made anew is known by this alone. With them, it was cut short by its own cluster.
    const at = topicId === '' ? first : end;
    return {
      ...fresh(era + 1, at),
      lost: 0,
      notice: `Partition ${partition} is shorter than it was; reading goes on at ${at}.`,
    };
  }
  if (next < first) {
    const lost = first - next;
    return {
      ...fresh(era, first),
      lost,
      notice: `Partition ${partition} no longer has ${lost} offsets that were not read yet.`,
    };
  }
  return { ...fresh(era, next), lost: 0 };
}
