import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CHECKOUT } from '#deploy/local/paths.ts';
import { taskProgress, type OnProgress } from '#deploy/local/progress.ts';
import { provision } from '#deploy/local/provision/artefact.ts';
import { classPath } from '#deploy/local/provision/maven.ts';
import { temporalTestServer } from '#deploy/local/provision/servers.ts';
import { javaCommand, javaTool, requireTool } from '#deploy/local/provision/tools.ts';

const SCRIPT = join(CHECKOUT, '.lily', 'temporal-test-server');

/**
 * Fetches the Temporal server that can skip time, unless it is there, and gives an executable that starts it with
 * the arguments that the SDK's `TestWorkflowEnvironment` uses.
 */
export async function temporalTestServerCommand(onProgress: OnProgress): Promise<string> {
  await requireTool(javaTool());
  await provision(temporalTestServer.artefact, taskProgress('test server', onProgress));
  mkdirSync(dirname(SCRIPT), { recursive: true });
  const java = `exec ${quoted(javaCommand())} -Xmx256m -XX:+UseSerialGC -cp ${quoted(classPath(temporalTestServer))}`;
  writeFileSync(SCRIPT, `#!/bin/sh\n${java} io.temporal.testserver.TestServer "$@"\n`);
  chmodSync(SCRIPT, 0o755);
  return SCRIPT;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
