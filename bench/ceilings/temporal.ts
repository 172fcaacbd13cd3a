import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Config } from '#platform/config.ts';
import { repeated, throughput, type Distribution } from '../harness/stats.ts';
import type { emptyWorkflow } from './empty-workflow.ts';

const taskQueue = 'bench';

export interface TemporalCeilings {
  /** Empty workflows a second, 20 at once. */
  workflows: number;
  /** One empty workflow, started and awaited, in milliseconds. */
  single: Distribution;
}

/** A bare worker with a workflow that does nothing. */
export async function temporalCeilings(
  { address, namespace }: Config['temporal'],
  seconds: number,
): Promise<TemporalCeilings> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('empty-workflow.ts', import.meta.url)),
  });
  const run = Date.now();
  const execute = async (name: string): Promise<number> => {
    await client.workflow.execute<typeof emptyWorkflow>('emptyWorkflow', {
      taskQueue,
      workflowId: `bench:${run}:${name}`,
      requestEagerStart: true,
    });
    return 1;
  };
  try {
    return await worker.runUntil(async () => {
      await throughput(4, 1, (index) => execute(`warm-${index}`));
      const workflows = await throughput(20, seconds, (index) => execute(`many-${index}`));
      const single = await repeated(30, 50, (index) => execute(`one-${index}`));
      return { workflows, single };
    });
  } finally {
    await connection.close();
  }
}
