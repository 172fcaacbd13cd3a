import type { LineageShape } from './lineage-events.ts';
import type { Distribution } from './stats.ts';

/** What the load process is asked to do. */
export type Job =
  | { kind: 'get'; base: string; token: string; paths: string[]; connections: number; seconds: number }
  | { kind: 'post-open'; base: string; token: string; prefix: string; perSecond: number; seconds: number }
  | {
      kind: 'send-open';
      brokers: string[];
      topic: string;
      tenantId: string;
      prefix: string;
      perSecond: number;
      seconds: number;
    }
  | { kind: 'lineage-events'; base: string; token: string; shape: LineageShape; connections: number }
  | {
      kind: 'arrays';
      base: string;
      token: string;
      prefix: string;
      connections: number;
      arraySize: number;
      updates: number;
    };

export interface JobResult {
  /** Requests, or records for `arrays`. */
  count: number;
  errors: number;
  seconds: number;
  latency: Distribution;
}

/** From the load process: how many records have been acknowledged so far, or the end. */
export type FromLoad =
  | { type: 'progress'; acknowledged: number }
  | { type: 'done'; result: JobResult }
  | { type: 'failed'; message: string };

/** To the load process. `pause`, `resume` and `stop` steer `arrays` and `lineage-events`. */
export type ToLoad = { type: 'run'; job: Job } | { type: 'pause' } | { type: 'resume' } | { type: 'stop' };
