import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { CHECKOUT } from '#deploy/local/paths.ts';
import { openStack } from '#deploy/local/stack.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { ensureSearchAttributes } from '#platform/temporal/search-attributes.ts';
import { bundleWorkflows } from '#test/support/workflow-bundle.ts';
import { historiesFolder, type Recording } from './recordings.ts';
import { scenarios, type Scenario } from './scenarios.ts';

/**
 * Records the histories anew that the replay tests replay, on the Temporal of a local stack that is up, in a namespace
 * of its own: `node deploy/local/bootstrap.mjs test/replay/record.ts [part of a scenario's name]`.
 */
const { History } = proto.temporal.api.history.v1;
const asText = { longs: String, enums: String, bytes: String };
const identity = 'recorder';
const [wanted = ''] = process.argv.slice(2);

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});
const { temporal: address } = openStack().addresses;
const connection = await Connection.connect({ address });
const nativeConnection = await NativeConnection.connect({ address });
const namespace = `lily-recording-${Date.now()}`;
const client = new Client({ connection, namespace, identity });
const codePath = await bundleWorkflows();
try {
  await createNamespace();
  mkdirSync(historiesFolder, { recursive: true });
  for (const scenario of scenarios().filter(({ name }) => name.includes(wanted))) await record(scenario);
} finally {
  await connection.operatorService.deleteNamespace({ namespace }).catch(() => undefined);
  await nativeConnection.close();
  await connection.close();
  rmSync(codePath);
}

async function createNamespace(): Promise<void> {
  const daySeconds = 86_400;
  await connection.workflowService.registerNamespace({
    namespace,
    description: 'histories for the replay tests',
    workflowExecutionRetentionPeriod: { seconds: daySeconds as never },
  });
  // The server's parts hear of a new namespace one after the other.
  await eventually(() => ensureSearchAttributes(client));
  await eventually(() => client.workflow.count());
}

async function record(scenario: Scenario): Promise<void> {
  const workers = await Promise.all(
    Object.values(taskQueues).map((taskQueue) =>
      eventually(() =>
        Worker.create({
          connection: nativeConnection,
          namespace,
          identity,
          taskQueue,
          workflowBundle: { codePath },
          activities: scenario.activities,
        }),
      ),
    ),
  );
  const all = workers.reduce(
    (inner, one) => () => one.runUntil(inner),
    () => scenario.play(client),
  );
  const { workflowId } = await all();
  forget(scenario.name);
  const recordings = await executionsOf(workflowId);
  for (const [index, recording] of recordings.entries()) {
    const name = recordings.length === 1 ? scenario.name : `${scenario.name}.${index + 1}`;
    // Stack traces name files of this machine.
    const text = JSON.stringify(recording, null, 1).replaceAll(`${CHECKOUT}/`, '');
    writeFileSync(join(historiesFolder, `${name}.json`), `${text}\n`);
    process.stdout.write(`${name}: ${recording.history.events.length} events\n`);
  }
}

/** Deletes what was recorded of the scenario before. */
function forget(name: string): void {
  const own = new RegExp(`^${name}(\\.\\d+)?\\.json$`);
  for (const file of readdirSync(historiesFolder)) if (own.test(file)) rmSync(join(historiesFolder, file));
}

/** The executions of a workflow, the first one first. */
async function executionsOf(workflowId: string): Promise<Recording[]> {
  const runs: { runId: string; startedAt: number }[] = [];
  for await (const { runId, startTime } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    runs.push({ runId, startedAt: startTime.getTime() });
  }
  runs.sort((one, other) => one.startedAt - other.startedAt);
  return Promise.all(
    runs.map(async ({ runId }) => {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      return { workflowId, history: History.toObject(History.fromObject(history), asText) as Recording['history'] };
    }),
  );
}

async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const [attempts, pauseMs] = [60, 500];
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attempts) throw error;
      await new Promise((wake) => setTimeout(wake, pauseMs));
    }
  }
}
