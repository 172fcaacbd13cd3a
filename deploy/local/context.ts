import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stackEnvironment } from './environment.ts';
import { stackPaths } from './paths.ts';
import { parsePortOffset, planPorts, type StackName } from './ports.ts';
import { loadSecrets } from './secrets.ts';
import type { StackContext } from './services/service.ts';

/**
 * Gathers what is fixed about a stack: folders, ports, secrets, environment. The port offset it was last started with
 * is remembered, so that `status`, `token` and `down` find it without `LILY_PORT_OFFSET` being said again.
 */
export function loadContext(name: StackName): StackContext {
  const paths = stackPaths(name);
  const said = process.env['LILY_PORT_OFFSET'];
  const offset = said ? parsePortOffset(said) : readOffset(paths.settings);
  const ports = planPorts(name, offset);
  const secrets = loadSecrets(paths.secrets);
  return { name, paths, ports, secrets, env: stackEnvironment({ ports, secrets }) };
}

/** Remembers the ports that a stack is being started with. */
export function rememberPorts(context: StackContext): void {
  const offset = context.ports.api - planPorts(context.name).api;
  mkdirSync(dirname(context.paths.settings), { recursive: true });
  writeFileSync(context.paths.settings, `${JSON.stringify({ portOffset: offset })}\n`);
}

/** The port offset that a stack was last started with. */
export function readOffset(file: string): number {
  if (!existsSync(file)) return 0;
  try {
    const settings = JSON.parse(readFileSync(file, 'utf8')) as { portOffset?: unknown };
    return typeof settings.portOffset === 'number' ? settings.portOffset : 0;
  } catch {
    return 0;
  }
}
