import type { Kafka } from 'kafkajs';
import type { Db } from 'mongodb';
import type { Driver } from 'neo4j-driver';
import type { Config } from '#platform/config.ts';
import { numberText } from '../harness/figure.ts';
import { kafkaCeilings, type KafkaCeilings } from './kafka.ts';
import { mongoCeilings, type MongoCeilings } from './mongo.ts';
import { neo4jCeilings, type Neo4jCeilings } from './neo4j.ts';
import { temporalCeilings, type TemporalCeilings } from './temporal.ts';

/** What each server does alone on this machine at this hour, driven by its bare client. */
export interface Ceilings {
  kafka: KafkaCeilings;
  mongo: MongoCeilings;
  neo4j: Neo4jCeilings;
  temporal: TemporalCeilings;
}

interface Servers {
  kafka: Kafka;
  db: Db;
  driver: Driver;
  config: Config;
}

export async function measureCeilings({ kafka, db, driver, config }: Servers, quick: boolean): Promise<Ceilings> {
  const seconds = quick ? 2 : 4;
  return {
    kafka: await kafkaCeilings(kafka, seconds),
    mongo: await mongoCeilings(db, seconds),
    neo4j: await neo4jCeilings(driver, seconds),
    temporal: await temporalCeilings(config.temporal, seconds),
  };
}

/** Bare writes of one record, one after the other: through Kafka, raw, history, current, graph, changes, and an empty workflow. */
export function bareWriteMs({ kafka, mongo, neo4j, temporal }: Ceilings): number {
  return 2 * kafka.single.p50 + 3 * mongo.single.p50 + neo4j.single.p50 + temporal.single.p50;
}

/** Records a second if the bare stages ran one after the other, for they share the same processors. */
export function bareStagesPerSecond({ kafka, mongo, neo4j }: Ceilings): number {
  return 1 / (2 / kafka.produced + 2 / mongo.inserted + 1 / mongo.upserted + 1 / neo4j.nodes);
}

export function ceilingLines({ kafka, mongo, neo4j, temporal }: Ceilings): string[] {
  const ms = (value: number): string => `${numberText(value)} ms`;
  return [
    `kafkajs, acks=all: ${numberText(kafka.produced)} messages/s in sends of 500; one at a time p50 ${ms(kafka.single.p50)}, p99 ${ms(kafka.single.p99)}`,
    `MongoDB, majority: insertMany ${numberText(mongo.inserted)}/s, bulk upsert ${numberText(mongo.upserted)}/s, one insert p50 ${ms(mongo.single.p50)}, findOne ${numberText(mongo.found)}/s at 16 at once`,
    `Neo4j: MERGE ${numberText(neo4j.nodes)} nodes/s, ${numberText(neo4j.edges)} relationships/s, one node p50 ${ms(neo4j.single.p50)}`,
    `Temporal: ${numberText(temporal.workflows)} empty workflows/s, one p50 ${ms(temporal.single.p50)}`,
  ];
}
