import type { Kafka, ProducerBatch } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { topics } from '#domain/topics.ts';
import { GroupCommitProducer } from './producer.ts';

/** A broker that can be slow and can refuse; a genuine one stands behind every other test. */
function producer(answer: (batch: ProducerBatch) => Promise<void> = () => Promise.resolve()) {
  const requests: string[][] = [];
  const kafka = {
    producer: () => ({
      sendBatch: async (batch: ProducerBatch) => {
        requests.push((batch.topicMessages ?? []).flatMap(({ messages }) => messages.map((one) => String(one.key))));
        await answer(batch);
      },
    }),
  };
  return { subject: new GroupCommitProducer(kafka as unknown as Kafka), requests };
}

const message = (key: string, sizeBytes = 10) => ({ key, value: 'ä'.repeat(sizeBytes / 2) });
const mebibyte = 1024 * 1024;

describe('GroupCommitProducer', () => {
  it('gathers what is sent while a request is under way, in order', async () => {
    const { subject, requests } = producer();
    await Promise.all(['a', 'b', 'c'].map((key) => subject.send(topics.ingest, [message(key)])));
    expect(requests).toEqual([['a'], ['b', 'c']]);
  });

  it('splits a send that Kafka would refuse for its size, by bytes and in order, and waits for all of it', async () => {
    const { subject, requests } = producer();
    await subject.send(
      topics.changes,
      ['a', 'b', 'c', 'd', 'e'].map((key) => message(key, mebibyte)),
    );
    expect(requests).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('rejects what was not acknowledged as unavailable, and goes on', async () => {
    let down = true;
    const { subject } = producer(() => (down ? Promise.reject(new Error('no broker')) : Promise.resolve()));
    await expect(subject.send(topics.ingest, [message('a')])).rejects.toMatchObject({ code: 'unavailable' });
    down = false;
    await expect(subject.send(topics.ingest, [message('a')])).resolves.toBeUndefined();
  });
});
