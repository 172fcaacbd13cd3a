import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '#test/support/workflow-bundle.ts';
import * as workflows from '#workflows/index.ts';
import { historyOf, recordings, workflowTypeOf, type Recording } from './recordings.ts';

const all = recordings();
const bundles = { real: '', timerFirst: '', stepsSwapped: '' };
const planted = (name: string): string => join(import.meta.dirname, 'planted', `${name}.ts`);

beforeAll(async () => {
  // A replay that fails says so in an error as well.
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  bundles.real = await bundleWorkflows();
  bundles.timerFirst = await bundleWorkflows(planted('timer-first'), 'timer-first');
  bundles.stepsSwapped = await bundleWorkflows(planted('steps-swapped'), 'steps-swapped');
});
afterAll(() => {
  for (const file of Object.values(bundles)) rmSync(file, { force: true });
});

async function replay(recording: Recording, codePath: string): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, historyOf(recording), recording.workflowId);
}

/** How an execution ended: the kind of its last event. */
function endOf({ history: { events } }: Recording): string {
  return String(events.at(-1)?.['eventType']).replace('EVENT_TYPE_WORKFLOW_EXECUTION_', '');
}

function events(recording: Recording, type: string): unknown[] {
  return recording.history.events.filter((event) => event['eventType'] === `EVENT_TYPE_${type}`);
}

function named(wanted: string): Recording {
  const found = all.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`there is no recording named ${wanted}`);
  return found.recording;
}

describe('what was recorded', () => {
  it('has a history of every workflow that a worker runs', () => {
    const types = new Set(all.map(({ recording }) => workflowTypeOf(recording)));
    expect([...types].toSorted()).toEqual(Object.keys(workflows).toSorted());
  });

  it('shows what the names promise', () => {
    expect(events(named('transform-batch-fast'), 'ACTIVITY_TASK_SCHEDULED')).toHaveLength(0);
    expect(events(named('transform-batch-fast'), 'MARKER_RECORDED')).toHaveLength(5);
    expect(events(named('transform-batch-durable'), 'ACTIVITY_TASK_COMPLETED')).toHaveLength(1);
    expect(endOf(named('transform-batch-failed'))).toBe('FAILED');
    expect(events(named('transform-batch-propagates'), 'CHILD_WORKFLOW_EXECUTION_STARTED')).toHaveLength(1);
    expect(events(named('ingest-source-paused'), 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED')).toHaveLength(2);
    expect(events(named('ingest-source-cancelled'), 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED')).toHaveLength(1);
    expect(endOf(named('ingest-source-continued.1'))).toBe('CONTINUED_AS_NEW');
    expect(endOf(named('ingest-source-continued.4'))).toBe('COMPLETED');
    expect(events(named('fire-schedule'), 'TIMER_STARTED')).toHaveLength(1);
    expect(events(named('fire-schedule-skipped'), 'START_CHILD_WORKFLOW_EXECUTION_INITIATED')).toHaveLength(0);
    expect(events(named('fire-schedule-waits'), 'REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED')).toHaveLength(
      1,
    );
    expect(events(named('backfill-schedule'), 'CHILD_WORKFLOW_EXECUTION_COMPLETED')).toHaveLength(3);
    expect(endOf(named('ingest-source-failed'))).toBe('FAILED');
    expect(events(named('handle-incident'), 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED')).toHaveLength(4);
    expect(events(named('handle-incident-escalated'), 'TIMER_FIRED').length).toBeGreaterThan(0);
    expect(endOf(named('handle-incident-continued.1'))).toBe('CONTINUED_AS_NEW');
    expect(endOf(named('handle-incident-replayed'))).toBe('COMPLETED');
    expect(endOf(named('handle-incident-cancelled'))).toBe('CANCELED');
    expect(endOf(named('follow-topic-continued.1'))).toBe('CONTINUED_AS_NEW');
    expect(events(named('follow-topic-changed'), 'ACTIVITY_TASK_CANCELED')).toHaveLength(1);
    expect(events(named('follow-topic-changed'), 'TIMER_STARTED')).toHaveLength(1);
  });

  it.each(all)('$name is small', ({ bytes }) => {
    expect(bytes).toBeLessThan(200_000);
  });
});

describe('the workflows of today', () => {
  it.each(all)('go through $name as they did when it was recorded', async ({ recording }) => {
    await expect(replay(recording, bundles.real)).resolves.toBeUndefined();
  });
});

describe('a change that histories do not bear', () => {
  it.each(all)('a timer before the first step is noticed in $name', async ({ recording }) => {
    await expect(replay(recording, bundles.timerFirst)).rejects.toThrow(DeterminismViolationError);
  });

  it.each(all.filter(({ recording }) => workflowTypeOf(recording) === 'transformBatch'))(
    'steps in another order are noticed in $name',
    async ({ recording }) => {
      await expect(replay(recording, bundles.stepsSwapped)).rejects.toThrow(DeterminismViolationError);
    },
  );
});
