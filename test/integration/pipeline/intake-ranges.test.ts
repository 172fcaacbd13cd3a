import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { intakeRanges } from '#platform/mongo/intake-ranges.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

const range = (topic: string, from: number, to: number, firstRecordId: string) => ({
  topic,
  partition: 0,
  from,
  to,
  firstRecordId,
});

it('cuts a partition the same again after a crash, though more records have come since', async () => {
  const ranges = intakeRanges(mongo.db);
  const topic = randomUUID();
  expect(await ranges.take(range(topic, 0, 9, 'r0'))).toEqual({ to: 9, name: '0-9' });
  expect(await ranges.take(range(topic, 0, 50, 'r0'))).toEqual({ to: 9, name: '0-9' });
  expect(await ranges.take(range(topic, 10, 50, 'r10'))).toEqual({ to: 50, name: '10-50' });
});

it('lets one of two consumers decide', async () => {
  const ranges = intakeRanges(mongo.db);
  const topic = randomUUID();
  const cuts = await Promise.all([5, 9, 7, 3].map((to) => ranges.take(range(topic, 0, to, 'r0'))));
  expect(new Set(cuts.map((cut) => cut.name)).size).toBe(1);
});

it('does not take a topic that was made anew for the one before', async () => {
  const ranges = intakeRanges(mongo.db);
  const topic = randomUUID();
  await ranges.take(range(topic, 0, 9, 'old'));
  expect(await ranges.take(range(topic, 0, 4, 'new'))).toEqual({ to: 4, name: '0-4:new' });
  expect(await ranges.take(range(topic, 0, 6, 'new'))).toEqual({ to: 4, name: '0-4:new' });
});
