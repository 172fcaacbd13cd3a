import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { searchAttributeNames } from '#domain/search-attributes.ts';
import { taskQueues, type TaskQueue } from '#domain/task-queues.ts';

const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;

type Activities = NonNullable<WorkerOptions['activities']>;

/** A Temporal server that skips time when nothing but timers is left to wait for, with workers on it. */
export interface TimeSkippingTemporal {
  readonly client: Client;
  /** Runs workers with these activities, on every task queue of ours, for as long as the work takes. */
  withWorkers<T>(activities: Activities, work: (client: Client) => Promise<T>): Promise<T>;
  /** Lets time pass on the server, also while an activity is running. */
  sleep(durationMs: number): Promise<void>;
  /** The server's time, in milliseconds since 1970. */
  now(): Promise<number>;
  close(): Promise<void>;
}

/** Starts one for a test file. The project's set-up has fetched the server and bundled the workflows. */
export async function startTimeSkippingTemporal(): Promise<TimeSkippingTemporal> {
  const { LILY_TEST_SERVER: path, LILY_WORKFLOW_BUNDLE: codePath } = process.env;
  if (path === undefined || codePath === undefined)
    throw new Error('run these tests as the Vitest project "workflows"');
  // What fails here fails on purpose: the warnings about it would only hide the tests' own messages.
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
  await env.connection.operatorService.addSearchAttributes({
    searchAttributes: Object.fromEntries(Object.values(searchAttributeNames).map((name) => [name, keyword])),
  });

  const worker = (taskQueue: TaskQueue, activities: Activities): Promise<Worker> =>
    Worker.create({
      connection: env.nativeConnection,
      namespace: env.namespace ?? 'default',
      taskQueue,
      workflowBundle: { codePath },
      activities,
    });
  return {
    client: env.client,
    async withWorkers(activities, work) {
      const workers = await Promise.all(Object.values(taskQueues).map((taskQueue) => worker(taskQueue, activities)));
      const all = workers.reduce(
        (inner, one) => () => one.runUntil(inner),
        () => work(env.client),
      );
      return all();
    },
    sleep: (durationMs) => env.sleep(durationMs),
    now: () => env.currentTimeMs(),
    close: () => env.teardown(),
  };
}
