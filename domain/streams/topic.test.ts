import { describe, expect, it } from 'vitest';
import { continuation, followedTopicSchema } from './topic.ts';

const stood = { partition: 1, topicId: 'A', era: 0, next: 50 };
const at = (next: number, era = 0, topicId = 'A') => ({ partition: 1, topicId, era, next, lost: 0 });

describe('where to go on in a partition', () => {
  it('goes on where it stood', () => {
    expect(continuation(1, stood, 'A', { first: 0, end: 80 }, 0)).toEqual(at(50));
    expect(continuation(1, stood, 'A', { first: 50, end: 50 }, 0)).toEqual(at(50));
  });

  it('begins where it was told, and not before what there is', () => {
    expect(continuation(1, undefined, 'A', { first: 10, end: 80 }, 80)).toEqual(at(80));
    expect(continuation(1, undefined, 'A', { first: 10, end: 80 }, 0)).toEqual(at(10));
  });

  it('begins a topic that was made anew at its beginning, though it has grown past where it stood', () => {
    expect(continuation(1, stood, 'B', { first: 0, end: 80 }, 80)).toMatchObject({ topicId: 'B', era: 0, next: 0 });
  });

  it('takes a partition that is shorter than it was for another one', () => {
    expect(continuation(1, stood, 'A', { first: 0, end: 40 }, 0)).toMatchObject({ era: 1, next: 40 });
    const unnamed = { ...stood, topicId: '' };
    expect(continuation(1, unnamed, '', { first: 0, end: 40 }, 0)).toMatchObject({ era: 1, next: 0 });
  });

  it('says what is gone that nobody has read', () => {
    expect(continuation(1, stood, 'A', { first: 60, end: 80 }, 0)).toMatchObject({ next: 60, era: 0, lost: 10 });
  });
});

it('takes brokers as host and port, and nothing with credentials in it', () => {
  const parse = (broker: string) => followedTopicSchema.safeParse({ brokers: [broker], topic: 'orders' }).success;
  expect(['kafka.example.org:9092', '10.0.0.1:1', '[::1]:9092'].map(parse)).toEqual([true, true, true]);
  expect(['kafka', 'kafka:', 'user:pw@kafka:9092', 'https://kafka:9092', ':9092'].some(parse)).toBe(false);
});
