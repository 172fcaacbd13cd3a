import type { Client } from '@temporalio/client';
import type { Consumer, Kafka } from 'kafkajs';
import type { Db } from 'mongodb';
import type { Driver } from 'neo4j-driver';
import { fetchToken } from '#deploy/local/fetch-token.ts';
import type { ServiceName, Stack } from '#deploy/local/stack.ts';
import { topics, type Topic } from '#domain/topics.ts';
import { loadConfig, type Config } from '#platform/config.ts';
import { createKafka } from '#platform/kafka/client.ts';
import { connectMongo } from '#platform/mongo/client.ts';
import { connectNeo4j } from '#platform/neo4j/client.ts';
import { connectTemporal } from '#platform/temporal/client.ts';
import type { Ceilings } from '../ceilings/measure.ts';
import { CpuMeter } from './cpu.ts';
import type { LoadProcess } from './load-process.ts';

/** All that a scenario works with. */
export interface Bench {
  stack: Stack;
  config: Config;
  db: Db;
  driver: Driver;
  kafka: Kafka;
  temporal: Client;
  ceilings: Ceilings;
  /** Shorter measurements, for trying the bench itself. */
  quick: boolean;
  say: (text: string) => void;
  token(tenantId: string): Promise<string>;
  meter(load?: LoadProcess): Promise<CpuMeter>;
  /** Messages that a topic has ever taken. */
  endOf(topic: Topic): Promise<number>;
  /** Joins a group of its own at the end of a topic, and calls back with every message from then on. */
  follow(topic: Topic, onMessage: (value: Buffer) => void): Promise<Consumer>;
}

export type OpenBench = Bench & { close(): Promise<void> };

/** Connects to a stack that is up. */
export async function openBench(stack: Stack, options: Pick<Bench, 'ceilings' | 'quick' | 'say'>): Promise<OpenBench> {
  const config = loadConfig(stack.env);
  const { client, db } = await connectMongo(config.mongo);
  const driver = connectNeo4j(config.neo4j);
  const temporal = await connectTemporal(config.temporal);
  const kafka = createKafka(config.kafka, 'lily-bench');
  const admin = kafka.admin();
  await admin.connect();
  return {
    ...options,
    stack,
    config,
    db,
    driver,
    kafka,
    temporal,
    token: (tenantId) => fetchToken(stack, { tenant: tenantId, user: 'bench', roles: ['admin'] }),
    meter: (load) => meterOf(stack, load),
    async endOf(topic) {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets.reduce((sum, { high }) => sum + Number(high), 0);
    },
    async follow(topic, onMessage) {
      const consumer = kafka.consumer({ groupId: `bench-${topic}-${Date.now()}`, maxWaitTimeInMs: 50 });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: false });
      const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => batch.messages.forEach(({ value }) => value !== null && onMessage(value)),
      });
      await joined;
      // The first fetch, which finds the end of the topic, comes right behind the join.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return consumer;
    },
    async close() {
      await Promise.all([client.close(), driver.close(), temporal.connection.close(), admin.disconnect()]);
    },
  };
}

const shownAs: Partial<Record<ServiceName, string>> = {
  mongo: 'MongoDB',
  kafka: 'Kafka',
  neo4j: 'Neo4j',
  temporal: 'Temporal',
  warehouse: 'warehouse',
};

async function meterOf(stack: Stack, load?: LoadProcess): Promise<CpuMeter> {
  const pids: Record<string, number> = { 'the bench': process.pid };
  for (const { name, pid } of await stack.status()) if (pid !== null) pids[shownAs[name] ?? name] = pid;
  if (load !== undefined) pids['load generator'] = load.pid;
  return new CpuMeter(pids);
}

/** Waits until Lily has made as many change events as `count` says, since `before`. */
export async function untilChanges(bench: Bench, before: number, count: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let made = 0; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    made = (await bench.endOf(topics.changes)) - before;
    if (made >= count) return;
    if (Date.now() > deadline) throw new Error(`${made} of ${count} change events after ${timeoutMs / 1_000} s`);
  }
}
