import { Context } from '@temporalio/activity';
import { LilyError } from '#domain/errors.ts';
import type { FollowTopicRequest, RoundReport } from '#domain/streams/topic.ts';
import { TopicReplaced } from '#platform/kafka/foreign/topic-reader.ts';
import { asFailure } from './failures.ts';
import { TopicRound, type TopicRoundDeps } from './topic-round.ts';

export type StreamDeps = TopicRoundDeps;

export type StreamActivities = ReturnType<typeof streamActivities>;

const heartbeatMs = 3_000;

/** The steps of `followTopic`. */
export function streamActivities(deps: StreamDeps) {
  return {
    /**
     * Reads the topic for a while: what it says goes to `lily.ingest`, and only then are the positions moved on. Dying
     * anywhere in it loses nothing: the next round reads from the positions, and what is sent twice is the same records.
     */
    async pumpTopic(request: FollowTopicRequest): Promise<RoundReport> {
      const context = Context.current();
      const round = new TopicRound(deps, request, context.cancellationSignal);
      const timer = setInterval(() => context.heartbeat({ messages: round.messages }), heartbeatMs);
      try {
        return { end: await round.run(), messages: round.messages };
      } catch (error) {
        if (error instanceof TopicReplaced) return { end: 'changed', messages: round.messages };
        const said = error instanceof LilyError ? error.message : 'The topic could not be read.';
        // MongoDB itself may be what is out of reach.
        await deps.topics.noteError(request.tenantId, request.integrationId, said).catch(() => undefined);
        throw asFailure(error);
      } finally {
        clearInterval(timer);
        await round.close();
      }
    },
  };
}
