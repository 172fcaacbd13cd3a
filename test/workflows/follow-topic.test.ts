import { afterAll, beforeAll, expect, it } from 'vitest';
import { followTopicWorkflowId, type FollowTopicRequest } from '#domain/streams/topic.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeStreams } from '#test/support/fake-streams.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { followTopic } from '#workflows/streams/follow-topic.ts';

let temporal: TimeSkippingTemporal;
beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

function start(integrationId: string, options: Partial<FollowTopicRequest> = {}) {
  const request: FollowTopicRequest = { tenantId: 'acme', integrationId, name: 'orders', ...options };
  return temporal.client.workflow.start<typeof followTopic>('followTopic', {
    workflowId: followTopicWorkflowId('acme', 'orders', integrationId),
    taskQueue: taskQueues.ingestion,
    args: [request],
  });
}

it('reads round after round, tries again for as long as it takes, and ends when the integration is gone', async () => {
  const { activities, seen } = fakeStreams([
    'time',
    ...Array.from({ length: 40 }, () => 'fails' as const),
    'time',
    'gone',
  ]);
  await temporal.withWorkers(activities, async () => (await start('patient')).result());
  expect(seen.filter((round) => round === 'fails')).toHaveLength(40);
  expect(seen.at(-1)).toBe('gone');
});

it('goes on in a new execution after so many rounds', async () => {
  const { activities, seen } = fakeStreams(['time', 'time', 'time', 'time', 'time', 'gone']);
  const handle = await temporal.withWorkers(activities, async () => {
    const started = await start('long', { roundsPerExecution: 2 });
    await started.result();
    return started;
  });
  expect(seen).toHaveLength(6);
  expect((await handle.describe()).runId).not.toBe(handle.firstExecutionRunId);
});

it('breaks off the round when something about the integration changes, and looks at it again', async () => {
  const { activities, seen, reading } = fakeStreams(['reads', 'time', 'gone']);
  await temporal.withWorkers(activities, async () => {
    const handle = await start('changing');
    await reading;
    await handle.signal('changed');
    await handle.result();
  });
  expect(seen).toEqual(['reads', 'time', 'gone']);
});

it('waits while it is paused until it hears of a change, and looks by itself should it hear of none', async () => {
  const { activities, seen } = fakeStreams(['paused', 'paused', 'gone']);
  const before = await temporal.now();
  await temporal.withWorkers(activities, async () => (await start('paused')).result());
  expect(seen).toEqual(['paused', 'paused', 'gone']);
  expect((await temporal.now()) - before).toBeGreaterThanOrEqual(60 * 60_000);
});

it('ends when it is cancelled', async () => {
  const { activities, reading } = fakeStreams(['reads']);
  await temporal.withWorkers(activities, async () => {
    const handle = await start('cancelled');
    await reading;
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow('cancelled');
  });
});
