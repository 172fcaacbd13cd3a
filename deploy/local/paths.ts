import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StackName } from './ports.ts';

/** The root of the checkout. */
export const CHECKOUT = resolve(import.meta.dirname, '../..');

/** The Node that the project runs on: the one npm installed, not whichever happens to be on PATH. */
export const NODE = join(CHECKOUT, 'node_modules/.bin/node');

/** Where downloaded and built servers are kept, outside the checkout so that a second checkout starts in seconds. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['LILY_CACHE'];
  if (own) return resolve(own);
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lily');
}

/** The folders of one stack. All of it is disposable: `npm run reset` deletes `root`. */
export interface StackPaths {
  readonly root: string;
  readonly data: string;
  readonly logs: string;
  readonly run: string;
  readonly secrets: string;
  readonly settings: string;
  readonly lock: string;
}

export function stackPaths(stack: StackName): StackPaths {
  const root = join(CHECKOUT, '.lily', stack);
  return {
    root,
    data: join(root, 'data'),
    logs: join(root, 'logs'),
    run: join(root, 'run'),
    secrets: join(root, 'secrets.json'),
    settings: join(root, 'settings.json'),
    lock: join(CHECKOUT, '.lily', `${stack}.lock`),
  };
}
