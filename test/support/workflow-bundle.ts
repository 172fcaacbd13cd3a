import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { CHECKOUT } from '#deploy/local/paths.ts';

/** What every worker runs. */
export const WORKFLOWS = join(CHECKOUT, 'workflows/index.ts');

/**
 * Bundles workflows as a worker does at its start, and gives the path of the bundle.
 *
 * @throws when they do not compile, or reach a module that workflows may not use (Node's own, the client's, …).
 */
export async function bundleWorkflows(entry = WORKFLOWS, name = 'workflows'): Promise<string> {
  const { code } = await bundleWorkflowCode({ workflowsPath: entry, logger: new DefaultLogger('ERROR') });
  const file = join(CHECKOUT, '.lily/bundles', `${name}-${process.pid}.bundle.js`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, code);
  return file;
}
