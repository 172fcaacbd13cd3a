import type { StackPaths } from '../paths.ts';
import type { PortName, Ports, StackName } from '../ports.ts';
import type { LaunchPlan } from '../process/lifecycle.ts';
import type { TaskProgress } from '../progress.ts';
import type { Tool } from '../provision/tools.ts';
import type { StackSecrets } from '../secrets.ts';

/** The long-running parts of a stack, in the order in which they are shown. */
export const SERVICE_NAMES = ['mongo', 'kafka', 'neo4j', 'temporal', 'oidc', 'warehouse', 'worker', 'api'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** What `up` brings about: a service that runs, or the one-shot `setup` between the servers and Lily's own processes. */
export type StepName = ServiceName | 'setup';

/** All that a service needs to know about the stack that it belongs to. */
export interface StackContext {
  readonly name: StackName;
  readonly paths: StackPaths;
  readonly ports: Ports;
  readonly secrets: StackSecrets;
  /** The `LILY_*` environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** One long-running process of a stack. */
export interface Service {
  readonly name: ServiceName;
  readonly title: string;
  /** Steps that must be done before this one starts, as far as they take part. */
  readonly after: readonly StepName[];
  readonly ports: readonly PortName[];
  /** The TypeScript file that it runs, from the checkout's root; a service whose file is missing is left out. */
  readonly entry?: string;
  /** The tools that must be on the machine to fetch or run it. */
  readonly tools?: () => Promise<readonly Tool[]>;
  /** Downloads or builds what it runs. */
  readonly provision?: (progress: TaskProgress) => Promise<void>;
  readonly plan: (context: StackContext, progress: TaskProgress) => Promise<LaunchPlan>;
  /** Does what a server needs once after its first start; safe to repeat, and repeated until it succeeds. */
  readonly settle?: (context: StackContext) => Promise<void>;
  /** @throws when the service does not do its work at this moment. */
  readonly check: (context: StackContext) => Promise<void>;
  readonly address: (context: StackContext) => string;
  readonly startTimeoutMs: number;
  /** How long it may take to end after SIGTERM. */
  readonly graceMs: number;
}
