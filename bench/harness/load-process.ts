import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { FromLoad, Job, JobResult, ToLoad } from './jobs.ts';

/** Makes load from a process of its own, so that measuring and loading do not wait for each other. */
export class LoadProcess {
  readonly #child: ChildProcess;
  acknowledged = 0;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'load-main.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#child.on('message', (message: FromLoad) => {
      if (message.type === 'progress') this.acknowledged = message.acknowledged;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  run(job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      const settle = (message: FromLoad): void => {
        if (message.type === 'progress') return;
        this.#child.off('message', settle);
        if (message.type === 'done') resolve(message.result);
        else reject(new Error(message.message));
      };
      this.#child.on('message', settle);
      this.#child.once('exit', (code) => reject(new Error(`the load process ended with ${code}`)));
      this.steer({ type: 'run', job });
    });
  }

  steer(message: ToLoad): void {
    this.#child.send(message);
  }

  close(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill();
  }
}

/** Runs one job in a process of its own. */
export async function runJob(job: Job): Promise<JobResult> {
  const load = new LoadProcess();
  try {
    return await load.run(job);
  } finally {
    load.close();
  }
}
