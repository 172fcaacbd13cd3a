import { Partitioners, type Kafka } from 'kafkajs';
import { repeated, throughput, type Distribution } from '../harness/stats.ts';

const topic = 'bench.raw';
const batch = 500;

export interface KafkaCeilings {
  /** Messages of 400 bytes a second, in sends of 500, acks=all. */
  produced: number;
  /** One message at a time, acks=all, in milliseconds. */
  single: Distribution;
  /** 1,000 messages in one send, in milliseconds. */
  thousand: Distribution;
}

/** Bare kafkajs against a topic of four partitions. */
export async function kafkaCeilings(kafka: Kafka, seconds: number): Promise<KafkaCeilings> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4, replicationFactor: 1 }] });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const value = 'x'.repeat(400);
  const send = async (count: number): Promise<number> => {
    await producer.send({
      topic,
      acks: -1,
      messages: Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value })),
    });
    return count;
  };
  try {
    await throughput(2, 1, () => send(batch));
    const produced = await throughput(2, seconds, () => send(batch));
    const single = await repeated(150, 5, () => send(1));
    const thousand = await repeated(20, 20, () => send(1_000));
    return { produced, single, thousand };
  } finally {
    await producer.disconnect();
  }
}
