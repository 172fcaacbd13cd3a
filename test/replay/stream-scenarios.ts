import type { Client } from '@temporalio/client';
import { followTopicWorkflowId, type FollowTopicRequest } from '#domain/streams/topic.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeStreams, type FakeRound } from '#test/support/fake-streams.ts';
import type { followTopic } from '#workflows/streams/follow-topic.ts';
import type { Scenario } from './scenarios.ts';

const tenantId = 'acme';

/** The ways that a followed topic goes. */
export function streamScenarios(): Scenario[] {
  return [
    following('follow-topic', ['time', 'fails', 'time', 'gone']),
    following('follow-topic-continued', ['time', 'time', 'changed', 'gone'], { roundsPerExecution: 2 }),
    changing('follow-topic-changed', ['reads', 'paused', 'gone']),
  ];
}

function following(name: string, rounds: FakeRound[], options: Partial<FollowTopicRequest> = {}): Scenario {
  const { activities } = fakeStreams(rounds);
  return {
    name,
    activities,
    async play(client) {
      const handle = await start(client, name, options);
      await handle.result();
      return handle;
    },
  };
}

/** Somebody changes it while it is read, so that it is paused, and resumes it. */
function changing(name: string, rounds: FakeRound[]): Scenario {
  const { activities, seen, reading } = fakeStreams(rounds);
  return {
    name,
    activities,
    async play(client) {
      const handle = await start(client, name);
      await reading;
      await handle.signal('changed');
      while (!seen.includes('paused')) await new Promise((resolve) => setTimeout(resolve, 50));
      // The workflow takes the round's end before it waits.
      await new Promise((resolve) => setTimeout(resolve, 500));
      await handle.signal('changed');
      await handle.result();
      return handle;
    },
  };
}

function start(client: Client, name: string, options: Partial<FollowTopicRequest> = {}) {
  const request: FollowTopicRequest = { tenantId, integrationId: name, name: 'orders', ...options };
  return client.workflow.start<typeof followTopic>('followTopic', {
    workflowId: followTopicWorkflowId(tenantId, request.name, request.integrationId),
    taskQueue: taskQueues.ingestion,
    args: [request],
    typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'followTopic', source: 'kafka', subject: 'orders' }),
    staticSummary: 'a recorded topic',
  });
}
