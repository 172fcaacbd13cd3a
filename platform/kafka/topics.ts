import type { Kafka } from 'kafkajs';
import { topics, type Topic } from '#domain/topics.ts';
import type { Config } from '../config.ts';

interface TopicPlan {
  topic: Topic;
  partitions: number;
  retentionHours: number;
}

const day = 24;

/** Partitions and retention of every topic, and why. */
function plans(partitions: number): TopicPlan[] {
  return [
    // Landed in MongoDB within seconds; a week outlasts an outage of everything behind it.
    { topic: topics.ingest, partitions, retentionHours: 7 * day },
    // A client of the WebSocket that was away for up to a week misses nothing.
    { topic: topics.changes, partitions, retentionHours: 7 * day },
    { topic: topics.impacts, partitions, retentionHours: 7 * day },
    { topic: topics.incidents, partitions, retentionHours: 7 * day },
    // A receipt is of use only while somebody waits for it: a minute.
    { topic: topics.receipts, partitions: 1, retentionHours: 1 },
    { topic: topics.deadLetter, partitions: 1, retentionHours: 30 * day },
  ];
}

/** Creates the topics that are missing; harmless to repeat. */
export async function ensureTopics(kafka: Kafka, config: Config['kafka']): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    await admin.createTopics({
      waitForLeaders: true,
      topics: plans(config.partitions)
        .filter((plan) => !existing.has(plan.topic))
        .map((plan) => ({
          topic: plan.topic,
          numPartitions: plan.partitions,
          replicationFactor: config.replicas,
          configEntries: [
            { name: 'retention.ms', value: String(plan.retentionHours * 3_600_000) },
            { name: 'max.message.bytes', value: String(8 * 1024 * 1024) },
            { name: 'min.insync.replicas', value: String(Math.max(1, config.replicas - 1)) },
          ],
        })),
    });
  } finally {
    await admin.disconnect();
  }
}
