import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { StreamActivities } from '#activities/streams/index.ts';
import type { RoundEnd } from '#domain/streams/topic.ts';
import { gate } from './fake-ingestion.ts';

/** How a round goes: it ends in this way, fails once and is tried again, or reads on until it is broken off. */
export type FakeRound = RoundEnd | 'fails' | 'reads';

/** The activities of a followed topic, without any Kafka: round after round as planned, and after the last one it is gone. */
export function fakeStreams(rounds: FakeRound[]) {
  const reading = gate();
  const seen: FakeRound[] = [];
  const activities: StreamActivities = {
    async pumpTopic() {
      const round = rounds.shift() ?? 'gone';
      seen.push(round);
      if (round === 'fails') throw ApplicationFailure.create({ message: 'no such topic', type: 'source-unreachable' });
      if (round !== 'reads') return { end: round, messages: 7 };
      const context = Context.current();
      const beating = setInterval(() => context.heartbeat(), 50);
      reading.open();
      try {
        return await context.cancelled;
      } finally {
        clearInterval(beating);
      }
    },
  };
  return { activities, seen, reading: reading.passed };
}
