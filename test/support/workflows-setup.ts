import { rmSync } from 'node:fs';
import { openProgressView } from '#deploy/local/progress.ts';
import { temporalTestServerCommand } from './test-server.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

/** Fetches the time-skipping server and bundles the workflows, once for all test files; workers inherit the environment. */
export async function setup(): Promise<() => void> {
  const view = openProgressView();
  try {
    process.env['LILY_TEST_SERVER'] ??= await temporalTestServerCommand(view.onProgress);
    const bundle = await bundleWorkflows();
    process.env['LILY_WORKFLOW_BUNDLE'] = bundle;
    return () => rmSync(bundle);
  } finally {
    view.close();
  }
}
